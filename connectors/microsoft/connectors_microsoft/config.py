"""The configuration of the Microsoft connector, field by field.

Names are those of Logto's connector for Microsoft where it has them, so that its configuration pastes in.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from connectors_core.oidc import OIDCConfig

TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A directory (tenant) id."""
SEVERAL = ("common", "organizations", "consumers")

Cloud = Literal[
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
]
Prompt = Literal["login", "none", "consent", "select_account"]


class MicrosoftConfig(OIDCConfig):
    """One app registration."""

    client_id: str = Field(min_length=1, description="The application (client) ID.")
    client_secret: SecretStr = Field(min_length=1, description="The value of a client secret, not its ID.")
    tenant_id: str = Field(
        "common", description="A directory (tenant) ID, or common, organizations or consumers."
    )
    cloud_instance: Cloud = Field("https://login.microsoftonline.com", description="A national cloud.")
    prompts: tuple[Prompt, ...] = Field((), description="What Microsoft is to show.")
    scope: str | None = Field(None, description="Scopes to ask for instead of openid profile email.")

    @field_validator("tenant_id")
    @classmethod
    def _is_tenant(cls, tenant: str) -> str:
        lower = tenant.lower()
        if lower not in SEVERAL and not TENANT.fullmatch(lower):
            raise ValueError(f"is neither a directory (tenant) ID nor one of {', '.join(SEVERAL)}")
        return lower

    @field_validator("cloud_instance", mode="before")
    @classmethod
    def _without_slash(cls, cloud: object) -> object:
        return cloud.rstrip("/") if isinstance(cloud, str) else cloud
