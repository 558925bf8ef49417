"""Sequence charts of a run."""
