"""Conformance classes: what every connector must do, run against the provider under control.

::

    class TestGitHub(OAuth2Conformance):
        connector = GitHub
        responses = {"https://api.github.com/user": {"id": 1, …}}
        expected = Profile(id="1", …)

The provider answers at the addresses that the connector knows, without a network; ``responses`` are
what stands at any others. ``pytest --connector=module:GitHub`` prints the grid.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from importlib import resources
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest

from ..connector import CONTRACT, ConnectorConfig, EndsSession, LogoutToken, Refreshes, Revokes
from ..errors import ConnectorError, ConnectorFault, ConnectorMisconfigured
from ..flow import Completed
from ..http import HttpSender
from ..hub import Hub
from ..oauth2 import OAuth2Connector
from ..oidc import OIDCConnector
from ..profile import Profile
from ..registry import Registry
from ..tokens import EMPTY, TokenSet
from .documents import ABSENT, MISSING, ODD, Path, changed_where, leaves, places, with_value
from .emulation import Emulation, Visitor
from .grid import SLOW, Ability, cases_for
from .plugin import Clock
from .provider import Case, Client, Fault, Person, Provider, Response, case

CALLBACK = "https://host.test/callback"
_DEEP = Response(headers={"content-type": "application/json"}, body=b'{"a":' * 100_000)
_VALUES: tuple[Any, ...] = (None, [], {}, 7, "text", True, [None], [[]], [7])
_BROKEN: Mapping[str, Any] = {
    "unauthorized": Response.json({"message": "no"}, status=401),
    "forbidden": Response.json({"message": "no"}, status=403),
    "not found": Response.json({"message": "no"}, status=404),
    "throttled": Response.json({}, status=429, retry_after="7"),
    "broken": Response.html("<h1>oops</h1>", status=500),
    "redirect": Response.redirect("https://other.test/"),
    "a page": Response.html("<h1>Sign in</h1>"),
    "nothing": Response(),
    "too deep": _DEEP,
    "reset": Fault.RESET,
    "cut": Fault.CUT,
    **{f"the JSON value {json.dumps(value)}": value for value in _VALUES},
}


class OAuth2Conformance:
    """Derive a class named ``Test…`` from this, and state what the provider of ``connector`` says.

    - ``config``: the configuration, beside a client id and secret that are there already (None: not given).
    - ``responses``: answers by ``[METHOD ]URL[?name=value&…]``, each JSON or a ``Response``.
    - ``expected``: the profile that must come of them; ``raw`` is not compared.
    - ``provider``: fields of ``Provider`` in which this one differs (``{"rotation": "strict"}``).
    - ``token_response``: members that its token responses hold besides.
    - ``callback``: parameters that its callbacks carry besides.
    - ``email_verified_by``: parts of the names of the members that tell whether an address is verified.
    - ``id_keys``: names of the members the id is made of, where it does not stand there as a whole.
    - ``outcomes``: error codes (None: none) by case name, where this provider wants others. Say why.
    """

    connectors_conformance: ClassVar[bool] = True

    connector: ClassVar[type[OAuth2Connector]]
    expected: ClassVar[Profile]
    config: ClassVar[Mapping[str, Any]] = {}
    responses: ClassVar[Mapping[str, Any]] = {}
    claims: ClassVar[Mapping[str, Any]] = {}
    provider: ClassVar[Mapping[str, Any]] = {}
    token_response: ClassVar[Mapping[str, Any]] = {}
    callback: ClassVar[Mapping[str, str]] = {}
    email_verified_by: ClassVar[tuple[str, ...]] = ("verif",)
    id_keys: ClassVar[tuple[str, ...]] = ()
    outcomes: ClassVar[Mapping[str, str | None]] = {}

    def accepts_secret(self, secret: str) -> bool:
        """Whether the provider takes this client secret; for types that make their own."""
        return secret == self._config().get("clientSecret")

    # The world of one test

    def _config(self) -> dict[str, Any]:
        config = {"clientId": "client-1", "clientSecret": Client().secret, **self.config}
        return {name: value for name, value in config.items() if value is not None}

    def _provider(self, connector: OAuth2Connector, clock: Clock) -> Provider:
        issuer = connector.issuer if connector.server is None else connector.server.issuer
        config = self._config()
        stated = {
            "issuer": issuer or "https://provider.test",
            "openid": isinstance(connector, OIDCConnector),
            "refresh_tokens": "always",
            "scope_separator": connector.scope_separator,
            "granted_scope_separator": connector.granted_scope_separator or "",
            "pkce": "refused" if connector.pkce_off_because else "required",
            **self.provider,
        }
        provider = Provider(clock=clock, **stated)
        provider.clients.clear()
        provider.register(config["clientId"], accepts=self.accepts_secret)
        provider.clients["client-2"] = Client(client_id="client-2")
        provider.people = {self.expected.id: self._person()}
        provider.scopes_supported += tuple(connector.scopes_to_request(None))
        base = {"claims": self._claims, "refresh_claims": self._claims, "token": self._token}
        base["logout_claims"] = self._claims
        says = Case(name="kit.base", source="this test", changes="its own words", expected=None, edits=base)
        provider.active.append(says)
        return provider

    def _person(self) -> Person:
        return Person(sub=self.expected.id, claims=self.claims)

    def _claims(self, own: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
        return {**own, **self.claims}

    def _token(self, own: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
        return {**own, **self.token_response}

    @asynccontextmanager
    async def _acting(self, *, deadline: float = 10.0) -> AsyncIterator[Visitor]:
        clock = Clock()
        registry = Registry()
        registry.register(self.connector)
        emulation = Emulation(Provider(clock=clock), responses=self.responses)
        sender = HttpSender(transport=emulation, deadline=deadline)
        async with Hub(registry, sender=sender, clock=clock) as hub:
            entry = hub.add("tested", type=self.connector.id, target="tested", config=self._config())
            hub.add("other", type=self.connector.id, target="other", config=self._config())
            connector = entry.connector
            assert isinstance(connector, OAuth2Connector)
            emulation.provider, emulation.server = self._provider(connector, clock), connector.server
            yield Visitor(
                hub=hub,
                provider=emulation.provider,
                advance=clock.advance,
                emulation=emulation,
                callback=self.callback,
            )

    def _connector(self, actor: Visitor) -> OAuth2Connector:
        connector = actor.hub.connector("tested").connector
        assert isinstance(connector, OAuth2Connector)
        return connector

    def _run(self, act: Callable[[Visitor], Awaitable[None]], *, deadline: float = 10.0) -> None:
        async def play() -> None:
            async with self._acting(deadline=deadline) as actor:
                await act(actor)

        asyncio.run(play())

    def _as_expected(self, profile: Profile) -> None:
        assert replace(profile, raw=EMPTY) == replace(self.expected, raw=EMPTY)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test a case that concerns this connector."""
        if "case" not in metafunc.fixturenames:
            return

        async def found() -> list[Case]:
            async with self._acting() as actor:
                ability = await Ability.of(self._connector(actor), actor.provider)
                return list(cases_for(ability, self.outcomes))

        cases = asyncio.run(found())
        metafunc.parametrize("case", cases, ids=[each.name for each in cases])

    # What is shown

    def test_says_what_it_is(self) -> None:
        """Id, contract, name, files and configuration are there and in order."""
        kind = self.connector
        assert kind.contract == CONTRACT
        assert kind.id == kind.id.lower()
        assert kind.id.replace("-", "").replace("_", "").isalnum()
        assert kind.metadata.name.get("en"), "metadata.name needs an English name"
        assert issubclass(kind.Config, ConnectorConfig)
        stated = (kind.metadata.logo, kind.metadata.logo_dark, kind.metadata.readme)
        for name in stated:
            if name is None or name.startswith("https://"):
                continue
            file = resources.files(kind.__module__.partition(".")[0]).joinpath(name)
            assert file.is_file(), f"{name} is not in the package"
            if name.endswith(".svg"):
                drawing = file.read_text(encoding="utf-8").lower()
                assert "<script" not in drawing
                assert "href=" not in drawing

    def test_authorization_request(self) -> None:
        """RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 9700 §2.1: what must be there, once, and what must not."""

        async def act(actor: Visitor) -> None:
            connector = self._connector(actor)
            first, second = [parse_qsl(urlsplit((await actor.begin()).uri).query) for _ in range(2)]
            sent, again = dict(first), dict(second)
            assert len(sent) == len(first), "a parameter stands twice"
            assert sent["response_type"] == "code"
            assert sent["redirect_uri"] == CALLBACK
            assert sent["client_id"] == connector.config.client_id
            fresh = ["state"]
            if not connector.pkce_off_because:
                assert sent["code_challenge_method"] == "S256"
                fresh.append("code_challenge")
            if "nonce" in sent:
                fresh.append("nonce")
            assert all(len(sent[name]) >= 22 and sent[name] != again[name] for name in fresh)
            assert not {"client_secret", "code_verifier", "client_assertion", "access_token"} & sent.keys()
            if secret := connector.config.client_secret:
                assert secret.get_secret_value() not in str(first)

        self._run(act)

    def test_signs_in(self) -> None:
        """The profile is the expected one, and the account is the same the next time."""

        async def act(actor: Visitor) -> None:
            completed = await actor.sign_in()
            self._as_expected(completed.profile)
            assert completed.tokens.access_token
            assert completed.identity == (await actor.sign_in()).identity
            assert completed.identity.subject

        self._run(act)

    def test_keeps_secrets_out_of_urls(self) -> None:
        """RFC 6750 §2.3, RFC 9700 §4.3.2: no code, token, verifier or client secret in any URL."""

        async def act(actor: Visitor) -> None:
            await actor.sign_in()
            held = actor.held()
            assert not [url for url in actor.emulation.urls if any(secret in url for secret in held)]
            codes = [sent.parameters.get("code") for sent in actor.provider.requests.of("token")]
            codes = [code for code in codes if code]
            assert len(codes) == len(set(codes)) == 1, "the code was sent twice"

        self._run(act)

    def test_case(self, case: Case, caplog: pytest.LogCaptureFixture) -> None:
        """Only our exceptions leave, with the expected code, and none shows a secret."""
        caplog.set_level(logging.DEBUG)

        async def act(actor: Visitor) -> None:
            outcome, error = await self._outcome(actor.meet(case))
            told = self._told(error)
            code = error.code if error else None
            certain = case.area != "userinfo"
            assert code == case.expected or (not certain and code is None), told
            if isinstance(outcome, Completed):
                assert outcome.profile.id == self.expected.id
                assert outcome.profile.email_verified in (self.expected.email_verified, None, False)
                if certain:
                    self._as_expected(outcome.profile)
            shown = [told, repr(error), repr(vars(error)) if error else "", caplog.text]
            held = actor.held()
            assert not [secret[:8] for secret in held if any(secret in text for text in shown)]

        self._run(act, deadline=0.05 if case.name in SLOW else 10.0)

    async def _outcome(
        self, awaitable: Awaitable[Completed | TokenSet | LogoutToken]
    ) -> tuple[Completed | TokenSet | LogoutToken | None, ConnectorError | None]:
        """What came of it. Anything but an exception of ours, raised on purpose, fails the test."""
        try:
            return await awaitable, None
        except ConnectorFault as fault:  # its text says which exception, and where
            pytest.fail(f"only exceptions of connectors_core.errors may leave a connector: {fault}")
        except ConnectorError as error:
            return None, error

    def _told(self, error: ConnectorError | None) -> str:
        return "".join(traceback.format_exception(error)) if error else ""

    def test_refreshes(self) -> None:
        """A refresh token renews the access token; a rotated one comes along. RFC 6749 §6."""

        async def act(actor: Visitor) -> None:
            connector = self._connector(actor)
            tokens = (await actor.sign_in()).tokens
            if tokens.refresh_token is None:
                pytest.skip("this provider gives no refresh tokens")
            assert isinstance(connector, Refreshes)
            renewed = await connector.refresh(tokens)
            assert renewed.access_token != tokens.access_token
            if actor.provider.rotation != "none":
                assert renewed.refresh_token not in (None, tokens.refresh_token)

        self._run(act)

    def test_revokes(self) -> None:
        """Revoking reaches the provider, or says that it cannot. RFC 7009."""

        async def act(actor: Visitor) -> None:
            connector = self._connector(actor)
            tokens = (await actor.sign_in()).tokens
            asked = len(actor.emulation.urls)
            assert isinstance(connector, Revokes)
            try:
                await connector.revoke(tokens)
            except ConnectorMisconfigured:
                assert len(actor.emulation.urls) == asked
                server = await connector.server_metadata()
                assert server.revocation_endpoint is None
            else:
                assert len(actor.emulation.urls) > asked

        self._run(act)

    # Documents: the responses and the claims, wrong in every place

    def _documents(self) -> Iterator[tuple[str, Any]]:
        for text, document in self.responses.items():
            if isinstance(document, dict | list):
                yield text, document
        if self.claims:
            yield "", dict(self.claims)

    async def _sign_in_unlike(
        self, actor: Visitor, unlike: Mapping[str, Any]
    ) -> tuple[Completed | None, ConnectorError | None]:
        """Sign in with other documents; that of the empty name are the claims."""
        actor.emulation.unlike = {text: document for text, document in unlike.items() if text}
        claims = unlike.get("", self.claims)
        gone = self.claims.keys() - claims.keys()

        def edit(own: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
            return {name: value for name, value in {**own, **claims}.items() if name not in gone}

        def edit_userinfo(own: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
            return {name: claims.get(name, value) for name, value in own.items() if name not in gone}

        other = case("kit.unlike", "this test", "other claims", None, claims=edit, userinfo=edit_userinfo)
        actor.provider.active.append(other)
        try:
            outcome, error = await self._outcome(actor.sign_in())
        finally:
            actor.provider.active.remove(other)
            actor.emulation.unlike = {}
        assert outcome is None or isinstance(outcome, Completed)
        return outcome, error

    def test_any_answer_is_contained(self) -> None:
        """Odd documents and broken answers end in an exception of ours or in a sound profile."""

        async def act(actor: Visitor) -> None:
            for text, document in self._documents():
                for path, odd in itertools.product(places(document), ODD):
                    changed = {text: with_value(document, path, odd)}
                    outcome, _ = await self._sign_in_unlike(actor, changed)
                    if outcome is not None:
                        _check_sound(outcome.profile)
            for text, answer in itertools.product(self.responses, _BROKEN.values()):
                outcome, error = await self._sign_in_unlike(actor, {text: answer})
                if outcome is not None:
                    _check_sound(outcome.profile)
                told = self._told(error)
                assert not [secret[:8] for secret in actor.held() if secret in told]

        self._run(act)

    def test_missing_id_is_an_error(self) -> None:
        """Without the provider's identifier of the person there is no profile."""

        def holds_id(path: Path, value: Any) -> bool:
            return str(value) == self.expected.id and not isinstance(value, bool)

        choices: list[Callable[[Path, Any], bool]] = [_named(key) for key in self.id_keys] or [holds_id]

        async def act(actor: Visitor) -> None:
            documents = dict(self._documents())
            openid = isinstance(self._connector(actor), OIDCConnector)
            for chosen, value in itertools.product(choices, ABSENT):
                unlike = {t: changed_where(d, chosen, value) for t, d in documents.items()}
                if openid and not any(chosen(*leaf) for d in documents.values() for leaf in leaves(d)):
                    return  # the id is the ID token's sub: the cases take that away
                assert unlike != documents, "no response holds expected.id: name its members in id_keys"
                outcome, error = await self._sign_in_unlike(actor, unlike)
                assert error is not None, f"a profile without an id: {outcome and outcome.profile.id!r}"

        self._run(act)

    def test_unverified_email_stays_unverified(self) -> None:
        """What the provider does not call verified, or calls unverified, is not verified."""

        def tells(path: Path, value: Any) -> bool:
            return any(part in str(path[-1]).lower() for part in self.email_verified_by)

        async def act(actor: Visitor) -> None:
            documents = dict(self._documents())
            said = [leaf for d in documents.values() for leaf in leaves(d) if tells(*leaf)]
            if self.expected.email_verified and not self._connector(actor).profile_map.trust_email_because:
                assert said, "nothing in the responses says that the address is verified: email_verified_by"
            trusted = bool(self._connector(actor).profile_map.trust_email_because)
            for value in (
                False,
                "false",
                0,
                0.0,
                "no",
                *(() if trusted else (*ABSENT, [False], {"a": False})),
            ):
                unlike = {t: changed_where(d, tells, value) for t, d in documents.items()}
                outcome, _ = await self._sign_in_unlike(actor, unlike)
                if outcome is not None and said:
                    told = "left out" if value is MISSING else repr(value)
                    verified = outcome.profile.email_verified
                    assert verified is not True, f"verified, where that is {told}"

        self._run(act)


class OIDCConformance(OAuth2Conformance):
    """As for OAuth 2.0, and every case of discovery, keys and ID tokens.

    - ``claims``: those of the ID token, over the usual ones (``sub`` is ``expected.id`` unless given).
    """

    connector: ClassVar[type[OIDCConnector]]

    def test_ends_sessions_only_with_an_endpoint(self) -> None:
        """OpenID Connect RP-Initiated Logout §2: a URI of the provider, or None."""

        async def act(actor: Visitor) -> None:
            connector = self._connector(actor)
            if not isinstance(connector, EndsSession):
                pytest.skip("this type ends no sessions")
            uri = await connector.end_session_uri(
                id_token_hint=None, post_logout_redirect_uri="https://host.test/", state="s"
            )
            server = await connector.server_metadata()
            assert (uri is None) == (server.end_session_endpoint is None)

        self._run(act)


def _named(key: str) -> Callable[[Path, Any], bool]:
    return lambda path, value: path[-1] == key


def _check_sound(profile: Profile) -> None:
    """A profile of the types that it promises, without control characters; no missing address is verified."""
    assert isinstance(profile.id, str)
    assert 0 < len(profile.id) <= 255
    assert profile.id.strip()
    for each in fields(profile):
        value = getattr(profile, each.name)
        if each.name.endswith("_verified"):
            assert value in (True, False, None)
            assert isinstance(value, bool | None)
        elif each.name != "raw":
            assert value is None or isinstance(value, str)
            assert value is None or "\x00" not in value
    assert profile.email or profile.email_verified is None
    assert profile.phone or profile.phone_verified is None
