"""The rooms of the package: the imports between its files, the order that is allowed, and the diagram of both."""
