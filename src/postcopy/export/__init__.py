"""The model as other tools read it: Promela for Spin, TLA+ for TLC, Aldebaran's format for mCRL2 and CADP."""
