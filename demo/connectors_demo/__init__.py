"""A smart calendar assistant, a host and a Google of its own, to try and to read: ``connectors demo``."""
