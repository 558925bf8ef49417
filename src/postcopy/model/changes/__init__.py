"""Changes to the protocol, one file each; `catalogue` lists them."""
