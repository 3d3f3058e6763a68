"""The host's routes, by subject."""
