"""The command `postcopy`: a file a command."""
