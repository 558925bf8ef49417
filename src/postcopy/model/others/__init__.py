"""Postcopy as other projects have it: protocols of their own, in the words of the document's model."""
