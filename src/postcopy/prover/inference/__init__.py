"""Conjuncts that the machine finds: templates, observed states, and weeding by induction."""
