"""Random walks through spaces that are too large to exhaust."""
