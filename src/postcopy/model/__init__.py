"""The protocol, its faults, and the language that they are written in."""
