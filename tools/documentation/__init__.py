"""Writes what the documentation says of the code."""
