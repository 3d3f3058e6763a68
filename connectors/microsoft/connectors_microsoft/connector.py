"""Microsoft Entra ID and personal Microsoft accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from connectors_core import ConnectorMetadata, IdentityKey, Profile, ServerMetadata, TokenSet, Transaction
from connectors_core.connector import CallbackIssuer
from connectors_core.oidc import STANDARD_CLAIMS, ClaimsSource, OIDCConnector

from .config import SEVERAL, TENANT, MicrosoftConfig

PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts."""
GRAPH = "https://graph.microsoft.com/"


class Microsoft(OIDCConnector):
    """Sign-in with accounts of one Entra tenant, of any, or of persons.

    People are known by tenant and object id (``tid``, ``oid``): ``sub`` differs between
    applications. An e-mail address is whatever a tenant's administrator typed, so it counts as
    verified only where Microsoft vouches for the owner of its domain (``xms_edov``).
    """

    id = "microsoft"
    rotation = "overlap"
    target = "microsoft"
    metadata = ConnectorMetadata(name={"en": "Microsoft"}, logo="logo.svg", readme="README.md")
    Config = MicrosoftConfig
    config: MicrosoftConfig
    claims_source = ClaimsSource.ID_TOKEN
    reauthentication_parameters = {"prompt": "login"}
    profile_map = replace(STANDARD_CLAIMS, id="oid", avatar="", email_verified="xms_edov", phone="")

    def configured(self) -> Mapping[str, Any]:
        """Endpoints and keys of the tenant; the issuer is a template where there are several."""
        tenant = self.config.tenant_id
        base = f"{self.config.cloud_instance}/{tenant}"
        server = ServerMetadata(
            issuer=self._issuer("{tenantid}" if tenant in SEVERAL else tenant),
            authorization_endpoint=f"{base}/oauth2/v2.0/authorize",
            token_endpoint=f"{base}/oauth2/v2.0/token",
            jwks_uri=f"{base}/discovery/v2.0/keys",
            end_session_endpoint=f"{base}/oauth2/v2.0/logout",
        )
        prompt = " ".join(self.config.prompts)
        return {"server": server, "authorization_parameters": {"prompt": prompt} if prompt else {}}

    def _issuer(self, tenant: str) -> str:
        return f"{self.config.cloud_instance}/{tenant}/v2.0"

    async def callback_issuer(self) -> CallbackIssuer:
        """The issuer of the one tenant; which of several answers, nobody knows before."""
        return CallbackIssuer() if self.config.tenant_id in SEVERAL else await super().callback_issuer()

    def accepted_issuers(self, claims: Mapping[str, Any], server: ServerMetadata) -> frozenset[str]:
        """The issuer of the token's own tenant, where the configuration lets that tenant in."""
        tenant, wanted = claims.get("tid"), self.config.tenant_id
        if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
            return frozenset()
        let_in = {
            "common": True,
            "organizations": tenant != PERSONAL,
            "consumers": tenant == PERSONAL,
        }.get(wanted, tenant == wanted)
        return frozenset({self._issuer(tenant)}) if let_in else frozenset()

    def missing_scopes(self, asked: Iterable[str], granted: Iterable[str]) -> frozenset[str]:
        """As elsewhere: answers leave out ``offline_access``, of which the refresh token is the sign."""
        return super().missing_scopes(asked, {*granted, "offline_access"})

    def spell_scope(self, scope: str) -> str:
        """Without the address of Graph, which answers put before its scopes, and in small letters."""
        return scope.removeprefix(GRAPH).lower()

    async def select_account_parameters(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """As for OpenID Connect, where no prompt is set: Microsoft takes one alone (AADSTS90023)."""
        if self.config.prompts or "prompt" in parameters:
            return {}
        return await super().select_account_parameters(parameters)

    def request_parameters(self, transaction: Transaction, server: ServerMetadata) -> dict[str, str]:
        """As for OpenID Connect; Microsoft gives refresh tokens without showing the consent page again."""
        return super().request_parameters(replace(transaction, refresh_token_stored=True), server)

    async def claims(self, tokens: TokenSet) -> dict[str, Any]:
        """As for OpenID Connect, with ``xms_edov`` as a flag: some tenants' tokens hold text or a number."""
        claims = await super().claims(tokens)
        said = claims.get("xms_edov")
        return {**claims, "xms_edov": said in (1, "1", "true")} if isinstance(said, str | int) else claims

    def identity(self, profile: Profile, tokens: TokenSet) -> IdentityKey:
        """The issuer, which holds the tenant, and the object id."""
        return replace(super().identity(profile, tokens), subject=profile.id)
