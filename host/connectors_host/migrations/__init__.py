"""The schema of the host's own tables, beside those of ``connectors_core``."""
