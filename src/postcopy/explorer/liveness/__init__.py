"""What must happen in the end: the graph of a search, fairness, and lassos."""
