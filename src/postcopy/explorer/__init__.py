"""Exhaustive search: from a protocol to a verdict."""
