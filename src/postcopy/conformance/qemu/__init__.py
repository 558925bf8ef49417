"""A recorded migration of two QEMUs held against a protocol: is it a behaviour of the model?"""
