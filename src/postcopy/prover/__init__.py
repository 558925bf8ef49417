"""Proofs with z3: bitmap lemmas, bounded proofs, and the proof for every size."""
