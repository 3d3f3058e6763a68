"""The provider: its behaviour as fields, its endpoints behind one ``handle``."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from . import statements
from .authorize import Landing, landing_of
from .cases import CASES, Case
from .deviation import Deviation
from .endpoints import answer, endpoint_at, endpoint_url
from .grants import AccessToken, Client, Grant, Ledger, Person
from .keys import SigningKey
from .messages import Fault, Request, Response, broken
from .records import Recorded, Requests
from .transport import ProviderTransport
from .wire import WireServer

_METHODS = ("client_secret_basic", "client_secret_post")
_CLAIMS_OF = {
    "profile": ("name", "given_name", "family_name", "picture", "locale", "preferred_username"),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
}

Resource = Callable[["Provider", Request, AccessToken], Any]
"""Answers a request with JSON or a ``Response``; may raise ``Refused``."""
GrantType = Callable[["Provider", Mapping[str, str]], dict[str, Any]]
"""Makes a token response of the form of a request; may raise ``Refused``."""


@dataclass(slots=True, kw_only=True)
class Provider:
    """An OpenID provider (``openid=False``: a plain OAuth 2.0 server) under control.

    Times are in seconds, ``clock`` gives seconds since the epoch. ``rotation`` of refresh tokens:

    - ``none``: the same token serves for ever;
    - ``fresh``: each refresh gives a new one, the old ones work on;
    - ``overlap``: each refresh gives a new one, the old works until a newer was used;
    - ``grace:30``: the old works for 30 more seconds, after that its use revokes the grant;
    - ``single``: a second use is refused;
    - ``strict``: a second use revokes the grant and all its tokens.

    ``callback_iss`` is RFC 9207: ``announced``, ``unannounced`` (sent without a word in the
    metadata) or ``off``. ``pkce``: ``required``, ``optional``, ``refused``, ``ignored``. ``consent``:
    ``automatic``, or ``page`` for a browser. ``refresh_tokens``: ``offline_access``, ``always``,
    ``never``. ``keys`` sign (the first) and are published; ``extra_keys`` are published as they are.

    ``token_request`` is ``form`` or ``json``; ``token_answer`` too, or ``accept``: a form unless JSON
    is asked for. ``revocation``: ``token`` (RFC 7009), ``grant`` (either token ends the grant), or
    ``everything``: either token ends all that the person granted, without client authentication.
    ``problems_shown``: a wrong authorization request ends on a page instead of at the redirect URI.

    In process the provider answers at ``addresses``, by endpoint, and at those of ``resources``, as
    ``[METHOD ]URL``; behind a socket at the paths of the latter.
    """

    issuer: str = "https://provider.test"
    clock: Callable[[], float] = time.time
    openid: bool = True
    clients: dict[str, Client] = field(default_factory=lambda: {"client-1": Client()})
    people: dict[str, Person] = field(default_factory=lambda: {"alice-1": Person()})
    algorithm: str = "RS256"
    keys: list[SigningKey] = field(default_factory=list)
    extra_keys: list[Any] = field(default_factory=list)
    kid_in_header: bool = True
    scopes_supported: tuple[str, ...] = (
        *("openid", "profile", "email", "phone", "offline_access"),
        *("calendar", "read:user", "user:email"),
    )
    scope_separator: str = " "
    granted_scope_separator: str = ""
    """What separates scopes in answers, where that differs from requests."""
    response_modes: tuple[str, ...] = ("query", "form_post")
    auth_methods: tuple[str, ...] = _METHODS
    basic_encoded: bool = True
    pkce: str = "required"
    callback_iss: str = "off"
    consent: str = "automatic"
    denies_with: str = ""
    refused_scopes: frozenset[str] = frozenset()
    always_granted: frozenset[str] = frozenset({"openid"})
    """Scopes that cannot be refused one by one."""
    problems_shown: bool = False
    remembers_consent: bool = False
    """With ``page``: who allowed as much before is not asked again, unless ``prompt`` says so."""
    code_lifetime: float = 60
    access_token_lifetime: int = 3600
    id_token_lifetime: int = 600
    refresh_tokens: str = "offline_access"
    rotation: str = "none"
    id_token_on_refresh: bool = True
    claims_in_id_token: bool = True
    sid: str = ""
    """The provider's own session, as ID tokens name it; "" where they do not."""
    states_scope: bool = True
    token_request: str = "form"
    token_answer: str = "json"
    grant_types: Mapping[str, GrantType] = field(default_factory=dict)
    """Grants of its own, by ``grant_type``."""
    revocation: str = "token"
    claims_of: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _CLAIMS_OF)
    """The claims that each scope lets out."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    api_refusals: Mapping[str, Response] = field(default_factory=dict)
    """Answers to a token that is not good (``invalid_token``) or not enough (``insufficient_scope``)."""
    errors_with_200: bool = False
    userinfo_signed: bool = False
    requests: Requests = field(default_factory=Requests)
    ledger: Ledger = field(default_factory=Ledger)
    active: list[Case] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    """The names of those in ``active`` that looked at a request or changed an answer so far."""
    delays: dict[str, float] = field(default_factory=dict)
    seen_assertions: set[str] = field(default_factory=set, repr=False)
    server: WireServer | None = None
    _scheduled: dict[str, deque[tuple[Response, bool]]] = field(default_factory=lambda: defaultdict(deque))
    _held: dict[str, asyncio.Event] = field(default_factory=dict)
    _made: int = 0

    def __post_init__(self) -> None:
        if not self.keys and not self.algorithm.startswith("HS"):
            self.keys.append(SigningKey.make(self.algorithm, kid="key-0"))

    # What tests do to it

    def register(self, client_id: str, **fields: Any) -> Client:
        """Add or replace a client; the fields are those of ``Client``."""
        self.clients[client_id] = Client(client_id=client_id, **fields)
        return self.clients[client_id]

    def deviate(self, name: str) -> Deviation:
        """Put a named case into force, at once; as a context manager for as long as the block runs."""
        return self.put_into_force(CASES[name])

    def put_into_force(self, case: Case) -> Deviation:
        """As ``deviate``, for a case of one's own."""
        return Deviation(self, case)

    def edited(self, stage: str, value: Any) -> Any:
        """``value`` after the edits that the deviations in force make at ``stage``."""
        for case in self.active:
            if stage not in case.edits:
                continue
            before = value
            if stage in ("request", "form"):
                self.met.add(case.name)
            value = case.edits[stage](value, self)
            if value != before:
                self.met.add(case.name)
        return value

    def answer_next(
        self, endpoint: str, reply: Response | Fault, *, times: int = 1, processed: bool = False
    ) -> None:
        """Answer the next requests to ``endpoint`` so; with ``processed`` their effects happen first."""
        response = broken(reply) if isinstance(reply, Fault) else reply
        self._scheduled[endpoint].extend([(response, processed)] * times)

    def hold(self, endpoint: str) -> asyncio.Event:
        """Keep requests to ``endpoint`` waiting until the returned event is set."""
        self._held[endpoint] = asyncio.Event()
        return self._held[endpoint]

    def rotate_keys(
        self, algorithm: str | None = None, *, keep_old: bool = True, same_kid: bool = False
    ) -> SigningKey:
        """Sign with a new key from now on; the old ones stay published or go."""
        self._made += 1
        kid = self.keys[0].kid if same_kid else f"key-{self._made}"
        key = SigningKey.make(algorithm or self.keys[0].algorithm, kid=kid, number=self._made)
        self.algorithm = key.algorithm
        self.keys[:] = [key, *(self.keys if keep_old and not same_kid else ())]
        return key

    async def visit(self, uri: str) -> Landing:
        """Go to an authorization URI as a browser with automatic consent does; return where it lands."""
        parts = urlsplit(uri)
        path = self.path_of(uri) or parts.path
        response = await self.handle(Request(method="GET", path=path, query=parts.query))
        return landing_of(response)

    def secrets(self) -> list[str]:
        """Everything that must show up in no log, message or page: codes, tokens, client secrets."""
        return [*self.ledger.issued, *(client.secret for client in self.clients.values())]

    @property
    def families_revoked(self) -> int:
        """Grants lost because a refresh token or code was used twice."""
        return sum(grant.revoked.endswith("reuse") for grant in self.ledger.grants)

    # How it is reached

    def transport(self) -> ProviderTransport:
        """The provider without sockets."""
        return ProviderTransport(self.handle, origin=self.origin, path_of=self.path_of)

    @asynccontextmanager
    async def serving(self, *, path: str = "", tls: ssl.SSLContext | None = None) -> AsyncIterator[Provider]:
        """The provider on a loopback port; ``issuer`` becomes its address there, with ``path`` behind."""
        self.server = WireServer(self.handle, clock=self.clock, tls=tls)
        await self.server.start()
        self.issuer = f"{'https' if tls else 'http'}://localhost:{self.server.port}{path}"
        try:
            yield self
        finally:
            await self.server.stop()

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    def url(self, endpoint: str) -> str:
        """The address of an endpoint: ``url("token")``."""
        real = self.addresses.get(endpoint) if self.server is None else None
        return real or endpoint_url(self.issuer, endpoint)

    def path_of(self, url: str) -> str | None:
        """The path that answers for one of ``addresses`` or ``resources``, None for another URL."""
        address = url.partition("?")[0]
        for endpoint, known in self.addresses.items():
            if known == address:
                return urlsplit(endpoint_url(self.issuer, endpoint)).path
        known_resources = {place.rpartition(" ")[2] for place in self.resources}
        return urlsplit(address).path if address in known_resources else None

    def resource_at(self, request: Request) -> Resource | None:
        """What answers at a path of ``resources`` to that method."""
        for place, resource in self.resources.items():
            method, _, url = place.rpartition(" ")
            if (method or "GET", urlsplit(url).path) == (request.method, request.path):
                return resource
        return None

    def _endpoint_at(self, path: str) -> str:
        resources = {urlsplit(place.rpartition(" ")[2]).path for place in self.resources}
        return "resource" if path in resources else endpoint_at(self.issuer, path)

    async def handle(self, request: Request) -> Response:
        """Answer one request, through holds, delays, scheduled answers and deviations."""
        endpoint = self._endpoint_at(request.path)
        pairs = dict(request.query_pairs() + request.form_pairs() + request.json_pairs())
        recorded = Recorded(request=request, endpoint=endpoint, at=self.clock(), parameters=pairs)
        log = self.requests
        log.add(recorded)
        log.in_flight += 1
        log.in_flight_most = max(log.in_flight_most, log.in_flight)
        try:
            if endpoint in self._held:
                await self._held[endpoint].wait()
            if endpoint in self.delays:
                await asyncio.sleep(self.delays[endpoint])
            response = self._answer(request, recorded)
        finally:
            log.in_flight -= 1
        recorded.status = response.status
        return response

    def _answer(self, request: Request, recorded: Recorded) -> Response:
        waiting = self._scheduled.get(recorded.endpoint)
        if not waiting:
            return answer(self, request, recorded)
        scheduled, processed = waiting.popleft()
        if processed:
            answer(self, request, recorded)
        return scheduled

    # What it says

    def id_token(self, grant: Grant, *, access_token: str | None = None, stage: str = "claims") -> str:
        return statements.id_token(self, grant, access_token=access_token, stage=stage)

    def credential(
        self, client_id: str = "client-1", *, nonce: str | None = None, sub: str = "alice-1"
    ) -> str:
        """An ID token that arrives without a code, as One Tap and native SDKs deliver it."""
        grant = Grant(
            client_id=client_id,
            person=self.people[sub],
            scopes=("openid", "profile", "email"),
            redirect_uri="",
            nonce=nonce,
            auth_time=int(self.clock()),
        )
        return self.id_token(grant)

    def logout_token(
        self, client_id: str = "client-1", *, sub: str | None = "alice-1", sid: str | None = None
    ) -> str:
        """Word that a session, or all of a person's, has ended: what is posted to clients."""
        return statements.logout_token(self, client_id=client_id, sub=sub, sid=sid)

    def signed(self, claims: Any, *, secret: str = "") -> str:
        """``claims`` as a JWS of the current key."""
        return statements.signed(self, claims, secret=secret)

    def scopes_of(self, text: str) -> list[str]:
        """The scopes of a request, in order."""
        return [scope for scope in text.split(self.scope_separator) if scope]

    def person_hinted(self, hint: str) -> Person | None:
        """Who is meant by a ``login_hint``: a subject or an e-mail address."""
        by_address = {person.claims.get("email"): person for person in self.people.values()}
        return self.people.get(hint) or by_address.get(hint)

    def number_of(self, person: Person) -> int:
        """A person's numeric id at a plain OAuth server."""
        return 4711 + list(self.people).index(person.sub)
