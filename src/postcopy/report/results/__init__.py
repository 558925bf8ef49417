"""Verdicts and other results, for the terminal and as JSON."""
