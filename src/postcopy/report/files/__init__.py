"""Files that commands write for a user: which are replaced, and how they are recognised."""
