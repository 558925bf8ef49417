"""What must hold of the protocol, and what must be reachable."""
