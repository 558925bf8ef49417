"""Formal verification of postcopy live migration."""

__version__ = "0.1.0"
