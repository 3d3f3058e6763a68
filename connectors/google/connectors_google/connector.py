"""Google: OpenID Connect with two spellings of its issuer and its scopes, and its own way to go offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors_core import ConnectorMetadata, OneTap, Purpose, ServerMetadata, TokenSet, Transaction, errors
from connectors_core.oidc import OIDCConnector

from .config import ISSUER, NO_OFFLINE_ACCESS, SHORT, GoogleConfig


class Google(OIDCConnector):
    """Sign-in with Google, One Tap and native apps included, and access to Google's APIs.

    Google sends ``iss`` with callbacks: it is checked, and not required.
    """

    id = target = "google"
    rotation = "none"
    metadata = ConnectorMetadata(name={"en": "Google", "ja": "Google"}, logo="logo.svg", readme="README.md")
    Config = GoogleConfig
    config: GoogleConfig
    server = ServerMetadata(
        issuer=ISSUER,
        authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
        token_endpoint="https://oauth2.googleapis.com/token",
        userinfo_endpoint="https://openidconnect.googleapis.com/v1/userinfo",
        jwks_uri="https://www.googleapis.com/oauth2/v3/certs",
        revocation_endpoint="https://oauth2.googleapis.com/revoke",
    )
    issuers = frozenset({ISSUER, "accounts.google.com"})
    # Google knows no prompt=login and heeds no max_age; the person is shown a page, and no password field.
    reauthentication_parameters = {"prompt": "select_account"}
    one_tap_script = "https://accounts.google.com/gsi/client"

    def configured(self) -> Mapping[str, Any]:
        config = self.config
        own = {"additional_audiences": config.additional_audiences, "authorization_parameters": config.sent}
        emulator = {"issuer": config.issuer, "server": None, "issuers": None}
        return own | (emulator if config.issuer != ISSUER else {})

    def scopes_to_request(self, asked: Iterable[str] | None) -> tuple[str, ...]:
        """As for OpenID Connect, each scope in one spelling. Raises ConfigurationError for offline_access."""
        scopes = {self.spell_scope(scope): scope for scope in reversed(super().scopes_to_request(asked))}
        if "offline_access" in scopes:
            raise errors.ConfigurationError([errors.Problem(("scope",), NO_OFFLINE_ACCESS)])
        return tuple(reversed(scopes.values()))

    def spell_scope(self, scope: str) -> str:
        """The short one of two spellings."""
        return SHORT.get(scope, scope)

    def request_parameters(self, transaction: Transaction, server: ServerMetadata) -> dict[str, str]:
        """As for OpenID Connect, with consent where a refresh token is wanted and known not to be stored.

        Google gives one with a consent, and not again.
        """
        parameters = super().request_parameters(transaction, server)
        prompts, wanted = parameters.get("prompt", "").split(), self.config.offline_access
        if wanted and transaction.refresh_token_stored is False and not {"none", "consent"} & {*prompts}:
            parameters["prompt"] = " ".join((*prompts, "consent"))
        include = self.config.include_granted_scopes
        if transaction.purpose is Purpose.TOKENS if include is None else include:
            parameters.setdefault("include_granted_scopes", "true")
        return parameters

    def one_tap(self, *, login_uri: str, nonce: str) -> OneTap | None:
        """Google's prompt on the host's sign-in page, by its configuration."""
        return self.config.one_tap_prompt(script=self.one_tap_script, login_uri=login_uri, nonce=nonce)

    def email_domains(self, tokens: TokenSet) -> frozenset[str]:
        """``gmail.com`` and the organisation in ``hd``: of other addresses Google says only that they were
        verified once, and whoever holds them now may be somebody else."""
        return frozenset({"gmail.com", str((tokens.claims or {}).get("hd", "gmail.com")).lower()})

    async def check_verified(self, claims: dict[str, Any], server: ServerMetadata) -> dict[str, Any]:
        """The claims of somebody of the configured organisation, with one spelling of the issuer."""
        wanted, given = self.config.hosted_domain, claims.get("hd")
        domain = given.lower() if isinstance(given, str) else ""
        if wanted and not (domain if wanted == "*" else domain == wanted):
            raise errors.IdTokenRejected("hd", expected=wanted, actual=errors.provider_text(domain or "none"))
        return {**claims, "iss": ISSUER} if self.server else claims

    async def revoke(self, tokens: TokenSet) -> None:
        """Revoke the grant. Either token takes the other along, which Google then calls invalid_token."""
        try:
            await super().revoke(tokens)
        except errors.TokenEndpointError as error:
            if error.error != "invalid_token":
                raise
