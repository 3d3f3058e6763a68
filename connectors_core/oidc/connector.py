"""The OpenID Connect connector: OAuth 2.0 and a verified ID token."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

from joserfc.jwk import OctKey

from ..connector import Api, ConnectorConfig, LogoutToken, Relaxation
from ..errors import (
    ConfigurationError,
    ConnectorMisconfigured,
    IdTokenRejected,
    Problem,
    ProfileInvalid,
    ProviderError,
    Step,
    TransportError,
)
from ..metadata import ServerMetadata
from ..oauth2 import BearerApi, OAuth2Config, OAuth2Connector, ProfileMap
from ..oauth2.api import authority
from ..oauth2.authorization import AUTHORIZATION_RESERVED, TOKEN_RESERVED
from ..oauth2.error_response import raise_if_unavailable
from ..profile import IdentityKey, Profile
from ..tokens import TokenSet
from ..transaction import Callback, Purpose, Transaction
from .algorithms import ASYMMETRIC, SYMMETRIC, algorithm_problems
from .backchannel import logout_token_policy, read_logout_token, rejected_as_logout_token
from .id_token import (
    LEEWAY,
    IdTokenPolicy,
    NoncePolicy,
    SignedToken,
    check_claims,
    check_signature,
    check_signed_in_since,
)
from .logout import build_end_session_uri
from .relaxations import relaxations_of
from .userinfo import ClaimsSource, merge_claims, read_userinfo

RESERVED_PARAMETERS = AUTHORIZATION_RESERVED | TOKEN_RESERVED
"""What no configuration may set in the authorization and token requests."""

log = logging.getLogger("connectors_core.oidc")

STANDARD_CLAIMS = ProfileMap(
    id="sub",
    name=("name", "preferred_username", "nickname"),
    avatar="picture",
    email="email",
    email_verified="email_verified",
    phone=("phone_number", "phone"),
    phone_verified=("phone_number_verified", "phone_verified"),
)
"""OpenID Connect Core §5.1, and ``phone`` as Logto names it."""


OF_THE_PERSON = frozenset({"iss", "sub", "aud", "azp", "nonce"})
"""Claims by which the ID token of a refresh shows that it is about somebody or something else."""


class OIDCConfig(OAuth2Config):
    """What every OpenID Connect client needs."""


class OIDCConnector(OAuth2Connector):
    """A connector for an OpenID provider. Identities are (verified ``iss``, ``sub``).

    State ``issuer`` and all is discovered; or ``server``, with ``jwks_uri``. ``issuers`` are the
    values accepted as ``iss`` where that is not the server's issuer alone. Algorithms default to
    the asymmetric ones that the metadata lists, and to RS256 where it lists none. A weaker
    ``nonce_policy`` and an unknown issuer want a written reason. ``leeway``, ``max_age`` (sent, and
    then held against ``auth_time``) and ``max_token_age`` are in seconds.
    """

    Config: ClassVar[type[ConnectorConfig]] = OIDCConfig

    scopes: tuple[str, ...] = ("openid", "profile", "email")
    issuers: frozenset[str] | None = None
    issuer_unchecked_because: str = ""
    additional_audiences: frozenset[str] = frozenset()
    id_token_algorithms: frozenset[str] | None = None
    id_token_typ: str | None = None
    leeway: float = LEEWAY
    nonce_policy: NoncePolicy = NoncePolicy.REQUIRED
    nonce_policy_because: str = ""
    max_age: int | None = None
    max_token_age: float | None = None
    subject: str | None = None
    verification_time: float | None = None
    """Seconds since the epoch that ID tokens are judged at instead of now: for tests of a deployment."""
    claims_source: ClaimsSource = ClaimsSource.AUTO
    profile_map: ProfileMap = STANDARD_CLAIMS
    reauthentication_parameters: Mapping[str, str] = MappingProxyType({"prompt": "login", "max_age": "0"})
    selects_account: bool = True

    def _check(self) -> None:
        super()._check()
        problems = list(algorithm_problems(self.id_token_algorithms, self._secret))
        if self.server is not None:
            if self.server.jwks_uri is None and not (self.id_token_algorithms or ASYMMETRIC) <= SYMMETRIC:
                problems.append(Problem(("jwksUri",), "is required where endpoints are typed in"))
            if not (self.issuers or self.server.issuer or self.issuer_unchecked_because):
                problems.append(Problem(("issuer",), "is required where endpoints are typed in"))
        if problems:
            raise ConfigurationError(problems)

    @property
    def _secret(self) -> str | None:
        return self.config.client_secret.get_secret_value() if self.config.client_secret else None

    @cached_property
    def secret_key(self) -> OctKey | None:
        """The client secret as a key, where a symmetric algorithm is configured."""
        if self._secret is None or not (self.id_token_algorithms or frozenset()) & SYMMETRIC:
            return None
        octets = self._secret.encode()
        return OctKey(octets, octets)

    def scopes_to_request(self, asked: Iterable[str] | None) -> tuple[str, ...]:
        """As for OAuth 2.0, and always ``openid``: without it there is no ID token."""
        scopes = super().scopes_to_request(asked)
        return scopes if "openid" in scopes else ("openid", *scopes)

    def request_parameters(self, transaction: Transaction, server: ServerMetadata) -> dict[str, str]:
        """As for OAuth 2.0, with ``nonce``, ``max_age`` and, for a new refresh token, consent.

        Of several ``max_age``, the caller's and those configured, the shortest is sent.
        A provider that follows Core §11 ignores ``offline_access`` without ``prompt=consent``, so
        it is added unless the host knows that a refresh token is stored. Core §3.1.2.1, §11.
        """
        parameters = super().request_parameters(transaction, server)
        if self.nonce_policy is not NoncePolicy.NOT_SENT:
            parameters["nonce"] = transaction.nonce
        places = (self.authorization_parameters, transaction.parameters, parameters)
        asked = [_read_max_age(each) for each in places]
        if limits := [limit for limit in (self.max_age, *asked) if limit is not None]:
            parameters["max_age"] = str(min(limits))
        if "offline_access" in transaction.scopes and transaction.refresh_token_stored is not True:
            prompts = parameters.get("prompt", "").split()
            if not {"none", "consent"} & set(prompts):
                parameters["prompt"] = " ".join((*prompts, "consent"))
        return parameters

    async def accept(
        self,
        tokens: TokenSet,
        *,
        server: ServerMetadata,
        transaction: Transaction | None,
        callback: Callback | None,
        previous: TokenSet | None,
    ) -> TokenSet:
        """Verify the ID token: required on exchange; on refresh optional, and then the same person's.

        Raises IdTokenRejected. OpenID Connect Core §3.1.3.7, §12.2. The ID token of a refresh that
        cannot be verified is not believed and not kept; the tokens it came with are, because the
        one that they were exchanged for may be used up.

        To reauthenticate, ``auth_time`` must lie after the request where it is there: not all providers
        that ask the person anew say when that was.
        """
        if tokens.id_token is None:
            if transaction is None:
                return tokens
            raise IdTokenRejected("id_token", expected="one in the token response", actual="none")
        policy = self.id_token_policy(server)
        if transaction is not None:
            nonce: str | None = transaction.nonce
            plain = replace(transaction, purpose=Purpose.TOKENS)
            max_age = _read_max_age(self.request_parameters(plain, server))
        else:
            before = (previous and previous.claims) or {}
            nonce, max_age = before.get("nonce"), None
            policy = replace(policy, nonce=NoncePolicy.IF_PRESENT)
        claims: dict[str, Any] | None = None
        try:
            claims = await self._verified(
                tokens.id_token,
                server,
                policy,
                nonce=nonce,
                access_token=tokens.access_token,
                code=callback.code if callback else None,
                max_age=max_age,
            )
            if transaction is not None and transaction.purpose is Purpose.REAUTHENTICATE:
                check_signed_in_since(claims, transaction.created_at - policy.leeway)
            claims = await self.check_verified(claims, server)
        except (ProviderError, TransportError) as error:
            refused = isinstance(error, IdTokenRejected) and (claims or error.claim in OF_THE_PERSON)
            if transaction is not None or refused:
                raise
            log.warning("connector %s: the ID token of a refresh is left out: %s", self.connector_id, error)
            return replace(tokens, id_token=None, claims=None)
        if previous is not None and previous.claims is not None:
            _check_continuity(claims, previous.claims)
        return replace(tokens, claims=claims)

    async def prepare_refresh(self) -> None:
        """Fetch the metadata and keys, so that nothing but the refresh itself is left to fail."""
        await super().prepare_refresh()
        server = await self.server_metadata()
        if not self.id_token_policy(server).algorithms <= SYMMETRIC:
            jwks_uri = self.endpoint(server, "jwks_uri", step=Step.KEYS)
            await self.runtime.key_cache.keys(jwks_uri, self.runtime)

    async def verify_credential(self, credential: str, *, nonce: str | None) -> TokenSet:
        """The verified claims of an ID token that came without a code. Raises IdTokenRejected.

        A ``nonce`` that is given must be there, whatever the policy for the code flow.
        """
        server = await self.server_metadata()
        policy = self.id_token_policy(server)
        if nonce is not None:
            policy = replace(policy, nonce=NoncePolicy.REQUIRED)
        claims = await self._verified(credential, server, policy, nonce=nonce)
        return TokenSet(access_token="", claims=await self.check_verified(claims, server))

    async def verify_logout_token(self, token: str) -> LogoutToken:
        """Whom the provider signed out. Raises LogoutTokenRejected. Back-Channel Logout 1.0 §2.6.

        It is held to what ID tokens are held to: issuer, audience, algorithms and keys.
        """
        server = await self.server_metadata()
        with rejected_as_logout_token():
            policy = logout_token_policy(self.id_token_policy(server))
            signed = await self._signed(token, server, policy)
            policy = replace(policy, issuers=self.accepted_issuers(signed.claims, server))
            return read_logout_token(signed, policy, now=self.runtime.now())

    async def check_verified(self, claims: dict[str, Any], server: ServerMetadata) -> dict[str, Any]:
        """Look at the claims of every verified ID token, and return what is to be known of them.

        For what a type asks of a person besides, or to spell an issuer in one way. Raise
        IdTokenRejected to refuse the person: a sign-in, a credential, and a refresh as well.
        """
        return claims

    def id_token_policy(self, server: ServerMetadata) -> IdTokenPolicy:
        """What this connector's ID tokens must be; ``iss`` is for :meth:`accepted_issuers` to say."""
        algorithms = self.id_token_algorithms
        if algorithms is None:
            listed = frozenset(server.id_token_signing_alg_values_supported or ())
            algorithms = listed & ASYMMETRIC or frozenset({"RS256"})
        return IdTokenPolicy(
            issuers=frozenset(),
            client_id=self.config.client_id,
            additional_audiences=self.additional_audiences,
            algorithms=algorithms,
            secret_key=self.secret_key,
            leeway=self.leeway,
            nonce=self.nonce_policy,
            max_token_age=self.max_token_age,
            typ=self.id_token_typ,
            subject=self.subject,
        )

    def accepted_issuers(self, claims: Mapping[str, Any], server: ServerMetadata) -> frozenset[str] | None:
        """The values accepted as ``iss``, None for any.

        ``claims`` carry a good signature and nothing else is known of them: a type whose issuer
        depends on the tenant (Microsoft's ``{tenantid}``) builds the one issuer it accepts from them.
        """
        if self.issuers is not None:
            return self.issuers
        if server.issuer is not None:
            return frozenset({server.issuer})
        return None if self.issuer_unchecked_because else frozenset()

    async def _verified(
        self,
        token: str,
        server: ServerMetadata,
        policy: IdTokenPolicy,
        *,
        nonce: str | None,
        access_token: str | None = None,
        code: str | None = None,
        max_age: float | None = None,
    ) -> dict[str, Any]:
        signed = await self._signed(token, server, policy)
        check_claims(
            signed,
            replace(policy, issuers=self.accepted_issuers(signed.claims, server)),
            now=self.runtime.now() if self.verification_time is None else self.verification_time,
            nonce=nonce,
            access_token=access_token,
            code=code,
            max_age=max_age,
        )
        return signed.claims

    async def _signed(self, token: str, server: ServerMetadata, policy: IdTokenPolicy) -> SignedToken:
        if policy.algorithms <= SYMMETRIC:
            return check_signature(token, None, policy)
        jwks_uri = self.endpoint(server, "jwks_uri", step=Step.KEYS)
        keys = await self.runtime.key_cache.keys(jwks_uri, self.runtime)
        try:
            return check_signature(token, keys, policy)
        except IdTokenRejected as rejected:
            if rejected.claim not in ("kid", "signature"):
                raise
            newer = await self.runtime.key_cache.newer(jwks_uri, self.runtime, than=keys)
            if newer is None:
                raise
        return check_signature(token, newer, policy)

    async def fetch_userinfo(self, tokens: TokenSet, server: ServerMetadata) -> Mapping[str, Any]:
        """What the userinfo endpoint says of the ID token's subject.

        Raises UserinfoMismatch, InvalidResponse, TransportError, ConnectorMisconfigured.
        """
        url = self.endpoint(server, "userinfo_endpoint", step=Step.USERINFO)
        response = await BearerApi(self.runtime, tokens, hosts=(authority(url),)).get(
            url, params=self.userinfo_parameters, headers={"Accept": "application/json"}
        )
        raise_if_unavailable(response, "userinfo", now=self.runtime.now(), step=Step.USERINFO)
        return read_userinfo(response, subject=(tokens.claims or {}).get("sub"))

    async def profile(self, api: Api, tokens: TokenSet) -> Profile:
        """Who signed in, from where ``claims_source`` says, through ``profile_map``."""
        return self.profile_map.read(await self.claims(tokens))

    async def claims(self, tokens: TokenSet) -> dict[str, Any]:
        """The claims a profile is made of; userinfo is asked for only where ``claims_source`` wants it."""
        known = dict(tokens.claims or {})
        if not tokens.access_token or (self.claims_source is ClaimsSource.ID_TOKEN and known):
            return known
        server = await self.server_metadata()
        if self.claims_source is ClaimsSource.AUTO and known and not self._lacks(known, tokens, server):
            return known
        userinfo = await self.fetch_userinfo(tokens, server)
        if self.claims_source is ClaimsSource.USERINFO:
            return merge_claims({name: known[name] for name in ("iss", "sub") if name in known}, userinfo)
        return merge_claims(known, userinfo)

    def _lacks(self, claims: Mapping[str, Any], tokens: TokenSet, server: ServerMetadata) -> bool:
        if server.userinfo_endpoint is None:
            return False
        try:
            found = self.profile_map.read(claims)
        except ProfileInvalid:
            return True
        promised = {
            "profile": (found.name,),
            "email": (found.email, found.email_verified),
            "phone": (found.phone, found.phone_verified),
        }
        granted = {self.spell_scope(scope) for scope in tokens.scopes}
        return any(None in promised[scope] for scope in promised.keys() & granted)

    def identity(self, profile: Profile, tokens: TokenSet) -> IdentityKey:
        """The verified ``iss`` and ``sub``."""
        if tokens.claims is None:
            raise ConnectorMisconfigured("an identity needs a verified ID token", step=Step.ID_TOKEN)
        return IdentityKey(tokens.claims["iss"], tokens.claims["sub"])

    async def end_session_uri(
        self, *, id_token_hint: str | None, post_logout_redirect_uri: str | None, state: str | None
    ) -> str | None:
        """Where to send the browser, or None where the provider has no such endpoint."""
        server = await self.server_metadata()
        if server.end_session_endpoint is None:
            return None
        return build_end_session_uri(
            self.endpoint(server, "end_session_endpoint", step=Step.CONFIGURATION),
            client_id=self.config.client_id,
            id_token_hint=id_token_hint,
            post_logout_redirect_uri=post_logout_redirect_uri,
            state=state,
        )

    def relaxations(self) -> tuple[Relaxation, ...]:
        return (*super().relaxations(), *relaxations_of(self))


def _read_max_age(parameters: Mapping[str, str]) -> int | None:
    asked = parameters.get("max_age")
    if asked is None:
        return None
    if not asked.isascii() or not asked.isdigit() or len(asked) > 10:
        raise ConfigurationError([Problem(("max_age",), "must be a number of seconds")])
    return int(asked)


def _check_continuity(claims: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """The ID token of a refresh speaks of whom the first one spoke. OpenID Connect Core §12.2."""
    for claim in ("iss", "sub", "aud"):
        if _comparable(claims.get(claim)) != _comparable(before.get(claim)):
            raise IdTokenRejected(claim, expected="that of the sign-in", actual="another")


def _comparable(value: object) -> object:
    return frozenset(map(str, value)) if isinstance(value, list | tuple) else frozenset({value})
