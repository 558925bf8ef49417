"""The protocol of the document, and its faults."""
