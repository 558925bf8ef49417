"""For coding assistants: checks over the Model Context Protocol, each call in a process of its own, within a folder."""
