"""What protocols and properties are written in, and how they are interpreted. Knows nothing of postcopy."""
