"""What must hold, what must be reachable, and how it is stated."""
