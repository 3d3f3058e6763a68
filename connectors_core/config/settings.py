"""Every setting of the configuration file, with its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from ..connector import ConnectorConfig
from .fields import (
    Claim,
    Count,
    DatabaseUrl,
    Domain,
    Duration,
    Flag,
    GroupName,
    Identifier,
    KeySource,
    Logo,
    Network,
    Origin,
    Position,
    PrivateHost,
    RedirectUri,
    Scope,
    Texts,
    is_loopback_origin,
)

LAST = 1000
"""The ``order`` of a connector that states none: after those that do, as they come in the file."""

MIN_ADMIN_TOKEN = 32
"""Characters."""


class Settings(BaseModel):
    """Base of every table: a key that is not a field is an error, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RateLimits(Settings):
    """``[host.rate_limits]``: requests a minute, per address and per account; 0 is off."""

    sign_in: Count = 20
    callback: Count = 30
    verification: Count = 10
    access_token: Count = 60


class HostSettings(Settings):
    """``[host]``. Durations are in seconds. ``vault_keys`` is a key source, not the keys.

    ``sealed_rows`` is the URL of a plugin's store (``register_token_stores``), None for ``database``.
    """

    base_url: Origin = "http://127.0.0.1:8000"
    database: DatabaseUrl = Field("sqlite:///connectors.db", repr=False)
    vault_keys: KeySource | None = None
    sealed_rows: str | None = Field(None, repr=False)
    admin_token: SecretStr | None = None
    secure_cookies: Flag = True
    allow_private_network: Flag = False
    return_to_origins: tuple[Origin, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    strict: Flag = False
    sign_up: Flag = True
    session_idle: Duration = 86400.0
    session_absolute: Duration = Field(2592000.0, validate_default=True)
    renew_ahead: Duration | None = None
    rate_limits: RateLimits = RateLimits()

    @field_validator("admin_token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < MIN_ADMIN_TOKEN:
            raise ValueError(f"must have at least {MIN_ADMIN_TOKEN} characters")
        return token

    @field_validator("secure_cookies")
    @classmethod
    def _secure(cls, secure: bool, info: Any) -> bool:
        if not secure and "base_url" in info.data and not is_loopback_origin(info.data["base_url"]):
            raise ValueError("may be false only with a base_url on this machine (127.0.0.1, localhost)")
        return secure

    @field_validator("session_absolute")
    @classmethod
    def _not_before_idle(cls, absolute: float, info: Any) -> float:
        if absolute < info.data.get("session_idle", 0.0):
            raise ValueError("must not be shorter than session_idle")
        return absolute


class PluginSettings(Settings):
    """``[plugins]``: type ids or distribution names; an empty ``allow`` allows all."""

    allow: tuple[str, ...] = ()
    block: tuple[str, ...] = ()


class ConnectorSettings(Settings):
    """``[connectors.ID]``. ``config`` is the type's own schema.

    Once read (``read_connector``), ``type`` and ``target`` are filled in and ``config`` is an
    instance of the type's ``Config``.
    """

    type: Identifier | None = None
    target: Identifier | None = None
    name: Texts = Field(default_factory=dict)
    description: Texts = Field(default_factory=dict)
    logo: Logo | None = None
    logo_dark: Logo | None = None
    sync_profile: Literal["sign_up", "sign_in"] = "sign_up"
    token_storage: Flag = False
    sign_in: Flag = True
    linking: Literal["ask", "verified_email", "never"] = "ask"
    email_domains: tuple[Domain, ...] = ()
    requestable_scopes: tuple[Scope, ...] = ()
    extra_claims: tuple[Claim, ...] = ()
    identity_group: GroupName = ""
    private_hosts: tuple[PrivateHost, ...] = ()
    enabled: Flag = True
    order: Position = LAST
    config: Any = Field(default_factory=dict, repr=False)

    @field_validator("config")
    @classmethod
    def _table(cls, config: Any) -> Any:
        if not isinstance(config, (Mapping, ConnectorConfig)):
            raise ValueError("must be a table")
        return config


class AppSettings(Settings):
    """``[apps.ID]``: an application; without ``secret`` a public client."""

    secret: SecretStr | None = None
    redirect_uris: tuple[RedirectUri, ...] = ()
    post_logout_redirect_uris: tuple[RedirectUri, ...] = ()
    origins: tuple[Origin, ...] = ()
    may_read_tokens: tuple[Identifier, ...] = ()

    @model_validator(mode="after")
    def _reads_tokens_with_a_secret(self) -> AppSettings:
        if self.may_read_tokens and self.secret is None:
            raise ValueError("may_read_tokens needs a secret: a public client cannot prove who it is")
        return self
