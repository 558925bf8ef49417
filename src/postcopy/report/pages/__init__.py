"""HTML pages, and the local server that shows them."""
