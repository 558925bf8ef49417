"""Suites: many checks and proofs in a file, each with the verdict that is expected, for continuous integration."""
