"""Stored runs of the models drive two real QEMUs: docs/decisions/0047."""
