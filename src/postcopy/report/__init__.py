"""Runs of the model for people and tools: told in words, then laid out as text, Markdown, chart or ITF."""
