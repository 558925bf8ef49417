"""A proxy that judges a migration as its bytes pass, by automata that are compiled from a protocol."""
