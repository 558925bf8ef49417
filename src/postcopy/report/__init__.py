"""Runs, results and graphs of the model, for people and for other programs."""
