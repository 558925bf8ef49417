"""QEMU 11.1 with all its mends, and one rule of the table of its steps taken away."""
