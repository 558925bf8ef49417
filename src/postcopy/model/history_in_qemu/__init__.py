"""Real bugs that QEMU 11.1 has mended, put back into its model: each a small change on `Qemu11Mended`."""
