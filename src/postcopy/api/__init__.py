"""What commands do, as functions: the names that `postcopy` itself gives, and the work behind the command line."""
