"""The configuration of the Google connector, field by field.

Names are those of Logto's Google connector where it has them, so that its configuration pastes in.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from connectors_core.connector import ConnectorConfig, OneTap
from connectors_core.endpoints import IssuerUrl
from connectors_core.oidc import OIDCConfig

ISSUER = "https://accounts.google.com"

SHORT = {f"https://www.googleapis.com/auth/userinfo.{name}": name for name in ("email", "profile")}
"""Scopes that Google knows under two names; token responses use the long one."""
NO_OFFLINE_ACCESS = (
    "offline_access is no scope of Google's: set offlineAccess, which sends access_type=offline"
)

Text = Annotated[str, Field(min_length=1)]

_DOMAIN = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)


class OneTapConfig(ConnectorConfig):
    """The One Tap prompt on the host's own pages. Google Identity Services, HTML data attributes."""

    is_enabled: bool = Field(False, description="Show the prompt, and accept what it posts.")
    auto_select: bool = Field(False, description="Sign in without a click where one account qualifies.")
    close_on_tap_outside: bool = Field(True, description="A click beside the prompt closes it.")
    itp_support: bool = Field(
        False, description="The variant for browsers with Intelligent Tracking Prevention."
    )


class GoogleConfig(OIDCConfig):
    """One OAuth client of type "Web application" of one Google Cloud project."""

    client_id: Text = Field(description="The client ID of the OAuth client.")
    client_secret: SecretStr = Field(min_length=1, description="The client secret of the OAuth client.")
    scope: str | None = Field(
        None,
        description="Scopes to ask for at sign-in instead of openid profile email; openid always stays.",
    )
    prompts: tuple[Literal["none", "consent", "select_account"], ...] = Field(
        (), description="What Google is to show; none stands alone."
    )
    offline_access: bool = Field(False, description="Ask for a refresh token.")
    one_tap: OneTapConfig = OneTapConfig()
    hosted_domain: str | None = Field(
        None, description="Let in accounts of this Google Workspace domain alone; * is any Workspace domain."
    )
    include_granted_scopes: bool | None = Field(
        None,
        description="Whether new tokens cover what was granted before; default: where more is asked later.",
    )
    additional_audiences: frozenset[Text] = Field(
        frozenset(),
        description="Client ids of our own Android, iOS and browser apps, whose ID tokens are accepted.",
    )
    issuer: IssuerUrl = Field(ISSUER, description="For an emulator: where to discover everything from.")

    @field_validator("scope")
    @classmethod
    def _without_offline_access(cls, scope: str | None) -> str | None:
        if scope is not None and "offline_access" in scope.split():
            raise ValueError(NO_OFFLINE_ACCESS)
        return scope if scope and scope.strip() else None

    @field_validator("prompts")
    @classmethod
    def _none_alone(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        if "none" in prompts and len(prompts) > 1:
            raise ValueError("none forbids every page and cannot be joined with another prompt")
        if len(set(prompts)) != len(prompts):
            raise ValueError("names a prompt twice")
        return prompts

    @field_validator("hosted_domain")
    @classmethod
    def _is_domain(cls, domain: str | None) -> str | None:
        lower = domain.lower() if domain else None
        if lower not in (None, "*") and not _DOMAIN.fullmatch(str(lower)):
            raise ValueError("is not a domain name: write it as example.com")
        return lower

    @property
    def sent(self) -> dict[str, str]:
        """The authorization parameters that this configuration alone decides."""
        access_type = "offline" if self.offline_access else ""
        sent = {"prompt": " ".join(self.prompts), "access_type": access_type, "hd": self.hosted_domain}
        return {name: value for name, value in sent.items() if value}

    def one_tap_prompt(self, *, script: str, login_uri: str, nonce: str) -> OneTap | None:
        """Google's script and the element ``g_id_onload`` that it reads; None where One Tap is off.

        It posts ``credential`` and ``g_csrf_token`` to ``login_uri``. The sources are those that
        Google names for a Content-Security-Policy, beside ``script``.
        """
        if not self.one_tap.is_enabled:
            return None
        flags = {
            "data-auto_select": self.one_tap.auto_select,
            "data-cancel_on_tap_outside": self.one_tap.close_on_tap_outside,
            "data-itp_support": self.one_tap.itp_support,
        }
        folder = script.rpartition("/")[0]
        return OneTap(
            script=script,
            element="g_id_onload",
            attributes={
                "data-client_id": self.client_id,
                "data-login_uri": login_uri,
                "data-nonce": nonce,
                **{name: "true" if flag else "false" for name, flag in flags.items()},
            },
            sources={
                "script-src": script,
                "frame-src": f"{folder}/",
                "connect-src": f"{folder}/",
                "style-src": f"{folder}/style",
            },
        )
