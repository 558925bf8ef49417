"""A run in words, and the texts and files that hold it."""
