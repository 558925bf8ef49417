"""The engine held against the model: its logs, its cores under every interleaving, and stored counterexamples."""
