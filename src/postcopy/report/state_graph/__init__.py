"""The state space as a graph: quotient, layout, files."""
