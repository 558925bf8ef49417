"""A second prover: what z3 has refuted is asked of cvc5 and bitwuzla too, from a text that stands alone."""
