"""Known bugs of postcopy in QEMU and elsewhere, by code (A05, B05, D1): data for docs/bugs.md."""
