"""QEMU 7.2: what its threads do otherwise than those of 11.1, and what later commits have mended."""
