"""A postcopy migration that really runs: cores without input or output, QEMU's wire format, and thin hosts around them.

Nothing here imports the model or the explorer: it is an independent implementation, which is what makes holding it
against the model worth something.
"""
