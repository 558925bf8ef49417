"""Recordings of real QEMUs that migrate: two of them, a proxy between them, and everything that can be seen.

The rest of the package is not imported here, except for its errors.
"""
