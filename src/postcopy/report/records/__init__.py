"""Results as records: what `--json` prints, field by field, and the schemas of it."""
