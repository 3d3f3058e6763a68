"""The connector contract: what a plugin implements, and what it is given.

A connector type is a class with declarative attributes; ordinary methods are the escape hatch.
Most authors derive from ``connectors_core.oauth2.OAuth2Connector`` or
``connectors_core.oidc.OIDCConnector`` and write a profile mapping. A connector is one configured
instance: immutable, without flow state, without I/O in its constructor.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar, get_args, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from .errors import ConfigurationError, Problem
from .grants import InactiveReason
from .metadata import ConnectorMetadata, ServerMetadata
from .profile import IdentityKey, Profile
from .tokens import TokenSet
from .transaction import Callback, Transaction

if TYPE_CHECKING:
    import httpx

CONTRACT = 1
"""The version of this contract; a class states the one it was written for."""


class ConnectorConfig(BaseModel):
    """Base of every connector's configuration.

    Fields are snake_case and also read in camelCase (``clientId``); a key that is not a field is
    an error. Secrets are ``SecretStr``. Instances are frozen; no message shows a value.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


Model = TypeVar("Model", bound=BaseModel)


def read_config(
    model: type[Model], data: Mapping[str, Any], *, path: tuple[str, ...] = (), source: str = ""
) -> Model:
    """Return ``data`` as an instance of ``model``, or raise ConfigurationError naming every mistake.

    ``path`` and ``source`` say where the data stands, for the messages. No message holds a value.
    """
    twice = {
        name: alias
        for name, spec in model.model_fields.items()
        if (alias := spec.alias or name) != name and alias in data and name in data
    }
    problems = [
        Problem((*path, alias), f"is given twice, as {alias} and {name}", "keep one", source)
        for name, alias in twice.items()
    ]
    try:
        config = model.model_validate({key: value for key, value in data.items() if key not in twice})
    except ValidationError as error:
        problems += (
            _problem(model, data, detail, path, source)
            for detail in error.errors(include_input=False, include_url=False)
        )
    if problems:
        raise ConfigurationError(problems) from None
    return config


_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a known key",
    "bool_type": "must be true or false",
}


def _problem(
    model: type[BaseModel],
    data: Mapping[str, Any],
    detail: Mapping[str, Any],
    path: tuple[str, ...],
    source: str,
) -> Problem:
    place = tuple(str(part) for part in detail["loc"] if part != "[key]")
    if place and place[0] not in data and (spec := model.model_fields.get(place[0])):
        # pydantic names the attribute, not its alias, where it is the default that fails validation.
        place = (spec.alias or place[0], *place[1:])
    said = str(detail["msg"]).removeprefix("Value error, ")
    message = _MESSAGES.get(detail["type"]) or said.replace("Input should be", "must be", 1)
    cure = ""
    if detail["type"] == "extra_forbidden" and (owner := _model_at(model, place[:-1])):
        fields = owner.model_fields
        known = [spec.alias or name for name, spec in fields.items()]
        near = difflib.get_close_matches(place[-1], [*known, *fields], n=1, cutoff=0.6)
        cure = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
    return Problem((*path, *place), message, cure, source)


def _model_at(model: type[BaseModel], place: tuple[str, ...]) -> type[BaseModel] | None:
    """The model that stands at ``place`` within ``model``, where fields alone lead there."""
    for part in place:
        spec = next((s for name, s in model.model_fields.items() if part in (name, s.alias)), None)
        kinds = () if spec is None else (spec.annotation, *get_args(spec.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None:
            return None
        model = inner
    return model


@dataclass(frozen=True, slots=True)
class NetworkPermission:
    """Which non-public addresses a connector may reach: all, or listed names, addresses and networks."""

    private: bool = False
    hosts: frozenset[str] = frozenset()


class Sender(Protocol):
    """The one way out: guarded, capped, shared. See ``connectors_core.http``."""

    async def send(
        self, request: httpx.Request, *, network: NetworkPermission, deadline: float | None = None
    ) -> httpx.Response: ...


class VerificationKeys(Protocol):
    """A provider's public keys at one moment."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Any]:
        """The keys that may have made a signature: the one named, or all suitable ones without a name."""


class KeyCache(Protocol):
    async def keys(self, jwks_uri: str, runtime: Runtime) -> VerificationKeys:
        """The keys at ``jwks_uri``, from the cache or fetched once for all who wait."""

    async def newer(
        self, jwks_uri: str, runtime: Runtime, *, than: VerificationKeys
    ) -> VerificationKeys | None:
        """Keys fetched after ``than``, or None where the last fetch is too recent to try again."""


class MetadataCache(Protocol):
    async def metadata(self, issuer: str, runtime: Runtime) -> ServerMetadata:
        """The metadata that ``issuer`` publishes, from the cache or fetched once for all who wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a connector is given to work with. Shared by all connectors but for ``network``."""

    sender: Sender = field(repr=False)
    metadata_cache: MetadataCache = field(repr=False)
    key_cache: KeyCache = field(repr=False)
    clock: Callable[[], float] = field(repr=False)
    tenant: str = "default"
    network: NetworkPermission = NetworkPermission()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.clock()

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the whole answer; redirects are answers, not followed.

        Raises NotSent, AnswerLost, AnswerTooLarge.
        """
        return await self.sender.send(request, network=self.network)

    async def server_metadata(self, issuer: str) -> ServerMetadata:
        """The metadata that ``issuer`` publishes. Raises DiscoveryRejected, TransportError."""
        return await self.metadata_cache.metadata(issuer, self)


class Api(Protocol):
    """An HTTP client that carries the access token, to the connector's own hosts alone."""

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response: ...

    async def get_json(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The decoded body of a successful answer. Raises InvalidResponse for any other."""


@dataclass(frozen=True, slots=True)
class CallbackIssuer:
    """What to hold the callback's ``iss`` against: the issuer where known, and whether it must be there."""

    issuer: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """A check that a configuration turns off or weakens: its name, what that gives up, and why."""

    name: str
    gives_up: str
    reason: str


class Connector(ABC):
    """One configured provider.

    Subclasses state ``id`` (stored beside identities and tokens: never renamed), ``metadata`` and
    usually ``Config``. ``target`` is the identity-provider name used when the operator gives none;
    ``api_hosts`` are the hosts that may be sent the access token besides the userinfo endpoint's.
    ``rotation`` is what the provider does to a refresh token that was used: ``none`` (it stays),
    ``overlap`` (it stays until the new one was used), ``grace:30`` (it is good for so many seconds
    more), ``strict`` (a second use revokes the grant). Unknown counts as strict.
    ``revocation`` is what revoking does where the connector ``Revokes``: it ends that ``token``, or
    the whole ``grant`` at the first one (then one is sent); ``none``: it is not to be asked for.
    """

    id: ClassVar[str]
    contract: ClassVar[int] = CONTRACT
    metadata: ClassVar[ConnectorMetadata]
    target: ClassVar[str | None] = None
    Config: ClassVar[type[ConnectorConfig]] = ConnectorConfig
    api_hosts: tuple[str, ...] = ()
    rotation: str = "strict"
    revocation: Literal["token", "grant", "none"] = "token"
    access_denied_aliases: tuple[str, ...] = ()
    """The provider's own words for ``access_denied`` in a callback."""
    scope_on_refresh: bool = False
    """Whether a refresh names the scopes of the grant, for servers that narrow it otherwise."""

    config: ConnectorConfig
    connector_id: str
    runtime: Runtime

    def __init__(self, config: ConnectorConfig, *, connector_id: str, runtime: Runtime) -> None:
        for name, value in (("config", config), ("connector_id", connector_id), ("runtime", runtime)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: flow state belongs in the transaction")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.connector_id}>"

    @abstractmethod
    async def authorization_uri(self, transaction: Transaction) -> str:
        """The URI to send the browser to. May discover first. Raises DiscoveryRejected, TransportError."""

    @abstractmethod
    async def exchange(self, callback: Callback, transaction: Transaction) -> TokenSet:
        """Redeem the code. Raises TransportError or ProviderError."""

    @abstractmethod
    async def profile(self, api: Api, tokens: TokenSet) -> Profile:
        """Who granted these tokens. Raises TransportError or ProviderError."""

    def scopes_to_request(self, asked: Iterable[str] | None) -> tuple[str, ...]:
        """The scopes to request, in order, when a caller asked for ``asked`` (None: nothing special)."""
        return tuple(dict.fromkeys(asked or ()))

    def missing_scopes(self, asked: Iterable[str], granted: Iterable[str]) -> frozenset[str]:
        """Which of ``asked``, as spelled there, a grant of ``granted`` lacks; a provider may imply scopes."""
        known = {self.spell_scope(scope) for scope in granted}
        return frozenset(scope for scope in asked if self.spell_scope(scope) not in known)

    def spell_scope(self, scope: str) -> str:
        """One spelling of a scope that the provider knows by several: those that come out alike are one."""
        return scope

    async def select_account_parameters(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """What to add to a request with the caller's ``parameters`` to let the person choose an account.

        Nothing where the provider cannot be asked for that. May discover as ``authorization_uri`` may.
        """
        return {}

    async def callback_issuer(self) -> CallbackIssuer:
        """What the callback's ``iss`` is held against. RFC 9207 §2.4."""
        return CallbackIssuer()

    def identity(self, profile: Profile, tokens: TokenSet) -> IdentityKey:
        """What makes the account unique. Default: this connector's own namespace and the profile's id."""
        return IdentityKey(f"urn:connectors:{self.connector_id}", profile.id)

    def relaxations(self) -> tuple[Relaxation, ...]:
        """Every check that this configuration turns off or weakens."""
        return ()


@runtime_checkable
class Refreshes(Protocol):
    """A connector that renews token sets."""

    async def refresh(self, tokens: TokenSet, *, scopes: Iterable[str] | None = None) -> TokenSet:
        """The answer to a refresh request, unmerged. ``scopes`` None asks for what was granted."""


class FailureKind(StrEnum):
    """What a failed refresh means."""

    NOT_PROCESSED = "not_processed"
    """The refresh token was not looked at: try again later."""
    THROTTLED = "throttled"
    """As before; the provider may have said when."""
    UNKNOWN = "unknown"
    """The answer is lost or says nothing: the refresh token may have been used up."""
    DEAD = "dead"
    """The provider must be asked again, by the person; ``reason`` says why."""
    REFUSED = "refused"
    """The request is wrong; the grant may be good."""
    MISCONFIGURED = "misconfigured"
    """The client is wrong, for every grant: the operator must act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshFailure:
    """Why a refresh failed. ``retry_after`` is in seconds; ``error`` is a code fit to be shown.

    ``message`` is what the operator is told of a request that could not be made.
    """

    kind: FailureKind
    reason: InactiveReason | None = None
    retry_after: float | None = None
    error: str = ""
    message: str = ""


@runtime_checkable
class PreparesRefresh(Protocol):
    """A connector that needs more for a refresh than its one request (metadata, keys)."""

    async def prepare_refresh(self) -> None:
        """Fetch it before: what fails after the request would cost the answer. Raises as ``refresh``."""


@runtime_checkable
class ClassifiesRefreshErrors(Protocol):
    """A connector that knows its provider's refusals better than the specifications do."""

    def classify_refresh_error(self, error: Exception) -> RefreshFailure | None:
        """What ``error``, raised by ``refresh``, means; None leaves it to the library."""


@runtime_checkable
class Revokes(Protocol):
    """A connector that can tell the provider to forget a token. RFC 7009."""

    async def revoke(self, tokens: TokenSet) -> None: ...


@runtime_checkable
class EndsSession(Protocol):
    """A connector whose provider ends its own session too. OpenID Connect RP-Initiated Logout."""

    async def end_session_uri(
        self, *, id_token_hint: str | None, post_logout_redirect_uri: str | None, state: str | None
    ) -> str | None:
        """Where to send the browser, or None where the provider has no such endpoint."""


@runtime_checkable
class VerifiesCredential(Protocol):
    """A connector that accepts an ID token without a code: One Tap, native SDKs."""

    async def verify_credential(self, credential: str, *, nonce: str | None) -> TokenSet:
        """The verified claims, as a token set without tokens. Raises IdTokenRejected."""


@runtime_checkable
class VouchesForAddresses(Protocol):
    """A connector that knows of which domains its provider is the authority on addresses."""

    def email_domains(self, tokens: TokenSet) -> frozenset[str]:
        """The domains, lower case, for which verified addresses may be trusted, by the claims that came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTap:
    """A provider's prompt on a page of the host: ``script`` is its address, and looks for an element of
    id ``element`` with ``attributes``. ``sources`` are what the page's Content-Security-Policy must
    allow for it, by directive.
    """

    script: str
    element: str
    attributes: Mapping[str, str] = field(repr=False)
    sources: Mapping[str, str]


@runtime_checkable
class PromptsOneTap(VerifiesCredential, Protocol):
    """A connector whose provider can ask on the host's own sign-in page: Google One Tap."""

    def one_tap(self, *, login_uri: str, nonce: str) -> OneTap | None:
        """The prompt, None where it is off; it posts ``credential`` and ``g_csrf_token`` to ``login_uri``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutToken:
    """Whom a provider signed out: all of ``subject``, or the session ``sid``, or that one of theirs.

    The token counts once, by ``jti``, and not after ``expires_at`` (seconds since the epoch).
    """

    issuer: str
    subject: str | None
    sid: str | None = field(repr=False)
    jti: str = field(repr=False)
    expires_at: float


@runtime_checkable
class ReceivesLogout(Protocol):
    """A connector whose provider tells of sessions that it ended. OpenID Connect Back-Channel Logout 1.0."""

    async def verify_logout_token(self, token: str) -> LogoutToken:
        """What ``token`` says; whether it was used before is for the caller to know.

        Raises LogoutTokenRejected, and what fetching metadata and keys raises.
        """
