"""QEMU as it ships: today's protocol on the document's machines, and the mends of its defects."""
