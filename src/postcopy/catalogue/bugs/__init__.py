"""Known bugs of postcopy in QEMU and elsewhere, by their codes: the data of docs/bugs.md."""
