from connectors_core.testing.plugin import clock, provider, provider_server

__all__ = ["clock", "provider", "provider_server"]
