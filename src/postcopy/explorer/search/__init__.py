"""Breadth-first search over all states: in memory, on several workers, on disk, on a cluster."""
