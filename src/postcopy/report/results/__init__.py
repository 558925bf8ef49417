"""Results in words: what was found, and what it is worth. Printed in `terminal` and `records` beside this room."""
