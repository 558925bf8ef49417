"""Real bugs of postcopy, found again: a faulty variant and a mended one for each; `catalogue` lists them."""
