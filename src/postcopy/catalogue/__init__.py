"""What there is to check, by name: changes, faults, real bugs, properties; and loading a user's file."""
