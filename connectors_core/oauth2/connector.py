"""The OAuth 2.0 connector: protocol functions composed around one ``send`` a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from ..connector import Api, CallbackIssuer, Connector, ConnectorConfig, Relaxation, Runtime
from ..endpoints import check_endpoint, check_issuer
from ..errors import (
    ConfigurationError,
    ConnectorMisconfigured,
    InvalidResponse,
    Problem,
    ReauthorizationRequired,
    Step,
    TokenEndpointError,
)
from ..metadata import ServerMetadata
from ..profile import IdentityKey, Profile
from ..tokens import EMPTY, TokenSet
from ..transaction import Callback, Purpose, Transaction
from .api import BearerApi, authority
from .authorization import (
    AUTHORIZATION_RESERVED,
    REFRESH_RESERVED,
    TOKEN_RESERVED,
    USERINFO_RESERVED,
    build_authorization_uri,
    check_extra_parameters,
)
from .client_auth import ClientAuthentication, SigningKey, choose_auth_method
from .pkce import s256_code_challenge
from .profile_map import ProfileMap
from .relaxations import relaxations_of
from .revocation import build_revocation_request, read_revocation_response
from .token_endpoint import (
    build_code_request,
    build_refresh_request,
    form_request,
    read_token_response,
    request_secrets,
    with_json_body,
)


class OAuth2Config(ConnectorConfig):
    """What every OAuth 2.0 client needs. ``scope`` replaces the type's scopes; white space separates."""

    client_id: str = Field(min_length=1)
    client_secret: Annotated[SecretStr, Field(min_length=1)] | None = None
    scope: str | None = None


RotationField = Annotated[
    str,
    Field(
        pattern=r"^(none|overlap|strict|grace:[1-9][0-9]{0,5})$",
        description="What becomes of a refresh token that was used: it stays (none), it serves until the"
        " next was used (overlap), for so many seconds more (grace:30), or not again (strict).",
    ),
]
"""``Connector.rotation`` as a field, for a type whose configuration says it."""

RevocationField = Annotated[
    Literal["token", "grant", "none"],
    Field(description="What revoking a token ends: that one, or the whole grant; none: revoke nothing."),
]
"""``Connector.revocation`` as a field."""


class OAuth2Connector(Connector):
    """A connector for a server of OAuth 2.0: attributes declare, methods are the escape hatch.

    Either ``server`` is typed in or ``issuer`` is discovered. A type whose configuration decides
    attributes returns them from ``configured``. PKCE (S256) is always on unless
    ``pkce_off_because`` gives a reason. The four parameter mappings go to one endpoint each and may
    not set what the connector sets itself.
    """

    Config: ClassVar[type[ConnectorConfig]] = OAuth2Config
    config: OAuth2Config

    server: ServerMetadata | None = None
    issuer: str | None = None
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    granted_scope_separator: str | None = None
    """What separates ``scope`` in answers, where that differs from requests."""
    token_endpoint_auth_method: str | None = None
    """None: chosen from metadata, basic before post; post where the endpoints are typed in."""
    encode_basic_credentials: bool = True
    client_secret_jwt_signing_algorithm: str = "HS256"
    signing_key: SigningKey | None = None
    client_assertion_audience: Literal["issuer", "token_endpoint"] = "issuer"
    pkce_off_because: str = ""
    response_mode: str | None = None
    token_request_encoding: Literal["json", "form"] = "form"
    """How requests to the token and revocation endpoints are written; RFC 6749 knows forms alone."""
    token_response_encoding: Literal["json", "form"] | None = None
    token_response_member: str = ""
    """The member of token responses whose object holds the token, empty for the response itself."""
    bearer_aliases: tuple[str, ...] = ()
    invalid_grant_aliases: tuple[str, ...] = ()
    authorization_parameters: Mapping[str, str] = EMPTY
    token_parameters: Mapping[str, str] = EMPTY
    refresh_parameters: Mapping[str, str] = EMPTY
    userinfo_parameters: Mapping[str, str] = EMPTY
    userinfo_headers: Mapping[str, str] = EMPTY
    reauthentication_parameters: Mapping[str, str] = EMPTY
    """What has the server ask a person to prove anew who they are; empty where nothing does."""
    selects_account: bool = False
    """Whether the server knows ``prompt=select_account``."""
    profile_map: ProfileMap = ProfileMap()

    def __init__(self, config: ConnectorConfig, *, connector_id: str, runtime: Runtime) -> None:
        """Raises ConfigurationError for what can be told without a network."""
        super().__init__(config, connector_id=connector_id, runtime=runtime)
        for name, value in self.configured().items():
            if not hasattr(type(self), name):
                raise ConnectorMisconfigured(f"{type(self).__name__} has no attribute {name} to configure")
            object.__setattr__(self, name, value)
        self._check()

    def configured(self) -> Mapping[str, Any]:
        """The attributes of this class that ``self.config`` decides. Default: none."""
        return EMPTY

    def _check(self) -> None:
        """Raise ConfigurationError for what can be told without a network; subclasses add to it."""
        for name, reserved in (
            ("authorization_parameters", AUTHORIZATION_RESERVED),
            ("reauthentication_parameters", AUTHORIZATION_RESERVED),
            ("token_parameters", TOKEN_RESERVED),
            ("refresh_parameters", REFRESH_RESERVED),
            ("userinfo_parameters", USERINFO_RESERVED),
        ):
            check_extra_parameters(getattr(self, name), reserved, path=(name,))
        if self.server is None and self.issuer is None:
            raise ConfigurationError([Problem(("issuer",), "neither an issuer nor endpoints are given")])
        if self.server is not None or self.token_endpoint_auth_method is not None:
            self.client_authentication(self.server or ServerMetadata(issuer=self.issuer))

    async def server_metadata(self) -> ServerMetadata:
        """What is known of the server: ``server`` where typed in, else what ``issuer`` publishes."""
        if self.server is not None:
            return self.server
        if self.issuer is None:
            raise ConnectorMisconfigured("neither an issuer nor endpoints are given")
        try:
            check_issuer(self.issuer)
        except ValueError as error:
            raise ConnectorMisconfigured(f"the issuer {error}", step=Step.DISCOVERY) from None
        return await self.runtime.server_metadata(self.issuer)

    def endpoint(self, server: ServerMetadata, name: str, *, step: Step) -> str:
        """The URL of ``server``'s endpoint ``name``. Raises ConnectorMisconfigured: none, or not fit."""
        url = getattr(server, name)
        if url is None:
            raise ConnectorMisconfigured(f"the server has no {name}", step=step)
        try:
            return check_endpoint(url)
        except ValueError as error:
            raise ConnectorMisconfigured(f"the {name} {error}", step=step) from None

    def client_authentication(self, server: ServerMetadata) -> ClientAuthentication:
        """How this client proves itself to ``server``. Raises ConfigurationError, ConnectorMisconfigured."""
        secret = self.config.client_secret.get_secret_value() if self.config.client_secret else None
        known = self.client_assertion_audience == "issuer" and server.issuer
        return ClientAuthentication(
            method=choose_auth_method(
                server,
                explicit=self.token_endpoint_auth_method,
                has_secret=bool(secret),
                has_signing_key=self.signing_key is not None,
            ),
            client_id=self.config.client_id,
            client_secret=secret or None,
            encode_basic=self.encode_basic_credentials,
            signing_key=self.signing_key,
            secret_algorithm=self.client_secret_jwt_signing_algorithm,
            audience=known or server.token_endpoint,
        )

    def scopes_to_request(self, asked: Iterable[str] | None) -> tuple[str, ...]:
        """The configured scopes, or the type's, and then what a caller asked for besides."""
        scope = self.config.scope
        own = self.scopes if scope is None else self._split(scope)
        return tuple(dict.fromkeys((*own, *(asked or ()))))

    def _split(self, scope: str) -> list[str]:
        return scope.replace(self.scope_separator or " ", " ").split()

    def request_parameters(self, transaction: Transaction, server: ServerMetadata) -> dict[str, str]:
        """The parameters of the authorization request, in order. RFC 6749 §4.1.1, RFC 7636 §4.3.

        Raises ConfigurationError when the transaction's own parameters name a reserved one.
        """
        parameters = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": transaction.redirect_uri,
        }
        if transaction.scopes:
            parameters["scope"] = self.scope_separator.join(transaction.scopes)
        parameters["state"] = transaction.state
        if not self.pkce_off_because:
            parameters["code_challenge"] = s256_code_challenge(transaction.code_verifier)
            parameters["code_challenge_method"] = "S256"
        if self.response_mode is not None:
            parameters["response_mode"] = self.response_mode
        check_extra_parameters(transaction.parameters, AUTHORIZATION_RESERVED)
        anew = transaction.purpose is Purpose.REAUTHENTICATE
        return {
            **parameters,
            **self.authorization_parameters,
            **transaction.parameters,
            **(self.reauthentication_parameters if anew else {}),
        }

    async def select_account_parameters(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """``prompt=select_account``, beside the prompts that are sent anyway.

        Nothing where those forbid every page (``none``), or where the server lists the prompts that
        it knows without this one: it may refuse it. OpenID Connect Core §3.1.2.1.
        """
        prompts = {**self.authorization_parameters, **parameters}.get("prompt", "").split()
        if not self.selects_account or {"none", "select_account"} & {*prompts}:
            return EMPTY
        listed = (await self.server_metadata()).raw.get("prompt_values_supported")
        if isinstance(listed, list) and "select_account" not in listed:
            return EMPTY
        return {"prompt": " ".join((*prompts, "select_account"))}

    async def authorization_uri(self, transaction: Transaction) -> str:
        server = await self.server_metadata()
        endpoint = self.endpoint(server, "authorization_endpoint", step=Step.AUTHORIZATION_REQUEST)
        return build_authorization_uri(endpoint, self.request_parameters(transaction, server))

    async def exchange(self, callback: Callback, transaction: Transaction) -> TokenSet:
        """Redeem the code with the redirect URI and verifier of ``transaction``."""
        server = await self.server_metadata()
        now = self.runtime.now()
        request = build_code_request(
            self.endpoint(server, "token_endpoint", step=Step.TOKEN_EXCHANGE),
            code=callback.code,
            redirect_uri=transaction.redirect_uri,
            code_verifier=None if self.pkce_off_because else transaction.code_verifier,
            authentication=self.client_authentication(server),
            parameters=self.token_parameters,
            now=now,
        )
        tokens = await self._grant(request, transaction.scopes, now, Step.TOKEN_EXCHANGE)
        return await self.accept(
            tokens, server=server, transaction=transaction, callback=callback, previous=None
        )

    async def prepare_refresh(self) -> None:
        """Learn of the token endpoint, so that nothing but the refresh itself is left to fail."""
        self.endpoint(await self.server_metadata(), "token_endpoint", step=Step.REFRESH)

    async def refresh(self, tokens: TokenSet, *, scopes: Iterable[str] | None = None) -> TokenSet:
        """The answer to a refresh request, unmerged. RFC 6749 §6.

        Raises ReauthorizationRequired without a refresh token, InvalidGrant when it is dead.
        """
        if tokens.refresh_token is None:
            raise ReauthorizationRequired("no_refresh_token")
        server = await self.server_metadata()
        asked = None if scopes is None else tuple(dict.fromkeys(scopes))
        now = self.runtime.now()
        request = build_refresh_request(
            self.endpoint(server, "token_endpoint", step=Step.REFRESH),
            refresh_token=tokens.refresh_token,
            scope=self.scope_separator.join(asked) if asked else None,
            authentication=self.client_authentication(server),
            parameters=self.refresh_parameters,
            now=now,
        )
        renewed = await self._grant(request, asked or tokens.scopes, now, Step.REFRESH)
        return await self.accept(renewed, server=server, transaction=None, callback=None, previous=tokens)

    async def request_grant(self, form: Mapping[str, str], *, requested: Iterable[str] = ()) -> TokenSet:
        """What the token endpoint gives for a grant of the server's own. RFC 6749 §4.5.

        ``form`` holds ``grant_type`` and all else but the client's authentication; its values stay
        out of messages. ``requested`` are the scopes asked for. Raises as a code exchange.
        """
        server, now = await self.server_metadata(), self.runtime.now()
        endpoint = self.endpoint(server, "token_endpoint", step=Step.TOKEN_EXCHANGE)
        authentication = self.client_authentication(server)
        request = form_request(endpoint, form, authentication, now=now, step=Step.TOKEN_EXCHANGE)
        return await self._grant(request, requested, now, Step.TOKEN_EXCHANGE, secrets=form.values())

    async def _grant(
        self,
        request: httpx.Request,
        requested: Iterable[str],
        now: float,
        step: Step,
        *,
        secrets: Iterable[str] = (),
    ) -> TokenSet:
        separator = self.granted_scope_separator
        return read_token_response(
            await self._send(request),
            requested=requested,
            now=now,
            secrets=(*request_secrets(request), *secrets),
            step=step,
            scope_separator=self.scope_separator if separator is None else separator,
            encoding=self.token_response_encoding,
            member=self.token_response_member,
            bearer_aliases=self.bearer_aliases,
            invalid_grant_aliases=self.invalid_grant_aliases,
        )

    async def _send(self, request: httpx.Request) -> httpx.Response:
        written = with_json_body(request) if self.token_request_encoding == "json" else request
        return await self.runtime.send(written)

    async def accept(
        self,
        tokens: TokenSet,
        *,
        server: ServerMetadata,
        transaction: Transaction | None,
        callback: Callback | None,
        previous: TokenSet | None,
    ) -> TokenSet:
        """Look at a token response before it leaves.

        On exchange ``transaction`` and ``callback`` are what it answers, on refresh ``previous`` is.
        """
        return tokens

    async def revoke(self, tokens: TokenSet) -> None:
        """Revoke the refresh token, then the access token, where there is one. RFC 7009.

        Raises ConnectorMisconfigured where the server cannot, TokenEndpointError, TransportError.
        """
        server = await self.server_metadata()
        endpoint = self.endpoint(server, "revocation_endpoint", step=Step.REVOCATION)
        authentication = self.client_authentication(server)
        if tokens.refresh_token:
            await self._revoke(endpoint, tokens.refresh_token, "refresh_token", authentication)
        if not tokens.access_token:
            return
        try:
            await self._revoke(endpoint, tokens.access_token, "access_token", authentication)
        except TokenEndpointError as error:
            # Access tokens may be out of a server's reach: only refresh tokens MUST be revocable (§2).
            if not tokens.refresh_token or error.error != "unsupported_token_type":
                raise

    async def _revoke(
        self,
        endpoint: str,
        token: str,
        hint: Literal["access_token", "refresh_token"],
        authentication: ClientAuthentication,
    ) -> None:
        now = self.runtime.now()
        request = build_revocation_request(
            endpoint, token=token, token_type_hint=hint, authentication=authentication, now=now
        )
        response = await self._send(request)
        read_revocation_response(response, now=now, secrets=request_secrets(request))

    async def fetch_userinfo(self, tokens: TokenSet, server: ServerMetadata) -> Mapping[str, Any]:
        """What the userinfo endpoint says. Raises InvalidResponse, TransportError, ConnectorMisconfigured."""
        url = self.endpoint(server, "userinfo_endpoint", step=Step.USERINFO)
        api = BearerApi(self.runtime, tokens, hosts=(authority(url),))
        answer = await api.get_json(url, params=self.userinfo_parameters, headers=self.userinfo_headers)
        if not isinstance(answer, Mapping):
            raise InvalidResponse("the userinfo answer is not a JSON object", step=Step.USERINFO)
        return answer

    async def profile(self, api: Api, tokens: TokenSet) -> Profile:
        """Who granted these tokens: the userinfo endpoint's answer through ``profile_map``."""
        return self.profile_map.read(await self.fetch_userinfo(tokens, await self.server_metadata()))

    async def callback_issuer(self) -> CallbackIssuer:
        """The server's issuer; required where it announces ``iss``. RFC 9207 §2.3, §2.4."""
        server = await self.server_metadata()
        return CallbackIssuer(server.issuer, server.authorization_response_iss_parameter_supported)

    def identity(self, profile: Profile, tokens: TokenSet) -> IdentityKey:
        """The issuer where it is configured, else this connector's own namespace; and the profile's id."""
        issuer = self.server.issuer if self.server is not None else self.issuer
        return IdentityKey(issuer or f"urn:connectors:{self.connector_id}", profile.id)

    def relaxations(self) -> tuple[Relaxation, ...]:
        return relaxations_of(self)
