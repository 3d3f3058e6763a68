"""The configuration file: one TOML document, read whole."""

from .connectors import group_problems, make_connector, read_connector
from .load import Configuration, load_configuration, load_host_settings, load_plugin_settings
from .not_yet import NOT_YET
from .settings import AppSettings, ConnectorSettings, HostSettings, PluginSettings, RateLimits

__all__ = [
    "NOT_YET",
    "AppSettings",
    "Configuration",
    "ConnectorSettings",
    "HostSettings",
    "PluginSettings",
    "RateLimits",
    "group_problems",
    "load_configuration",
    "load_host_settings",
    "load_plugin_settings",
    "make_connector",
    "read_connector",
]
