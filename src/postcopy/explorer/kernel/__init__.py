"""From a protocol to code: state layout, generated source text, machine code."""
