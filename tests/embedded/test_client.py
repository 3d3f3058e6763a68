"""The client over a storage, with either hub, and the articles' own code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from connectors_embedded import Claims, Client, MemoryStorage, Refused, Storage

from connectors_core import ConfigurationError, Hub
from connectors_core.errors import AccessDenied, NotLinked, StateMismatch, StorageError, TransactionConsumed
from connectors_core.sync import Hub as SyncHub
from connectors_core.testing.plugin import Clock
from connectors_core.testing.provider import Provider
from connectors_core.vault import Keyring
from tests.browsing import Browser
from tests.canary import Canary
from tests.embedded.conftest import BASE, BOB, in_thread

CALLBACK = f"{BASE}/auth/sign-in-callback"


class SlowStorage(Storage):
    """The same, to be awaited."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        await asyncio.sleep(0)
        return self.values.get(key)

    async def set(self, key: str, value: str | None) -> None:
        await asyncio.sleep(0)
        self.values[key] = value or ""

    async def delete(self, key: str) -> None:
        await asyncio.sleep(0)
        self.values.pop(key, None)


Make = Callable[..., Any]


@pytest.fixture(params=["own", "sync", "async"])
async def make(request: pytest.FixtureRequest, settings: dict[str, Any]) -> AsyncIterator[Make]:
    """``await make(storage, …)``: a client with a hub of its own, or one that is given."""
    secret = settings.pop("secret")
    settings.pop("base_url")
    async with AsyncExitStack() as stack:

        async def make_client(storage: Storage | None = None, **changes: Any) -> Client:
            mine = {name: changes.pop(name) for name in ("sign_up", "session_lifetime") if name in changes}
            told = settings | changes
            if request.param == "own":
                client = Client(secret=secret, storage=storage, **mine, **told)
                stack.push_async_callback(asyncio.to_thread, client.close)
                return client
            connectors, registry = told.pop("connectors"), told.pop("registry")
            hub: Any
            if request.param == "async":
                hub = await stack.enter_async_context(Hub(registry, **told))
            else:
                hub = await asyncio.to_thread(SyncHub(registry, **told).open)
                stack.push_async_callback(asyncio.to_thread, hub.close)
            for name, table in connectors.items():
                await asyncio.to_thread(hub.add, name, **table)
            return Client(secret=secret, storage=storage, hub=hub, **mine)

        yield make_client


async def answer(provider: Provider, uri: str) -> str:
    landing = await provider.visit(uri)
    return f"{landing.uri}?{landing.query}"


@pytest.mark.parametrize("kind", [MemoryStorage, SlowStorage])
async def test_a_person_signs_in_and_out(
    make: Make, provider: Provider, kind: type[MemoryStorage] | type[SlowStorage]
) -> None:
    storage = kind()
    client = await make(storage)
    assert await client.user() is None
    await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    user = await client.user()
    assert user is not None
    assert (user.name, user.email, user.email_verified) == ("Alice Example", "alice@example.test", True)
    onward = await client.sign_out(f"{BASE}/bye")
    query = parse_qs(urlsplit(onward).query)
    assert onward.startswith("https://provider.test/")
    assert query["post_logout_redirect_uri"] == [f"{BASE}/bye"]
    assert "id_token_hint" in query
    assert storage.values == {}
    assert await client.user() is None


async def test_the_names_of_logto_are_there(make: Make, provider: Provider) -> None:
    client = await make()
    assert client.isAuthenticated() is False
    uri = await client.signIn(redirectUri=CALLBACK, interactionMode="signUp")
    await client.handleSignInCallback(await answer(provider, uri))
    assert client.isAuthenticated() is True
    claims = client.getIdTokenClaims()
    assert isinstance(claims, Claims)
    assert (claims.name, claims.phone_number) == ("Alice Example", None)
    assert claims.sub.startswith("user_")
    await client.signOut(postLogoutRedirectUri=f"{BASE}/")
    assert client.isAuthenticated() is False
    with pytest.raises(Refused, match="Nobody"):
        client.getIdTokenClaims()


async def test_a_client_whose_storage_is_awaited_never_says_yes_by_mistake(make: Make) -> None:
    client = await make(SlowStorage())
    for ask in (client.is_authenticated, client.isAuthenticated, client.get_id_token_claims):
        with pytest.raises(TypeError, match=r"await client\.user"):
            ask()


async def test_what_is_stored_is_sealed_and_short(make: Make, provider: Provider, canary: Canary) -> None:
    storage = MemoryStorage()
    client = await make(storage)
    await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    uri = await client.sign_in(CALLBACK)
    assert len(storage.values) == 2
    assert sum(map(len, [*storage.values, *storage.values.values()])) <= 3072
    for secret in provider.secrets():
        canary.watch(secret, "a secret of the provider's")
    canary.watch(parse_qs(urlsplit(uri).query)["state"][0], "a state")
    shown = "".join(storage.values.values())
    canary.check(shown, client, vars(client))
    assert "alice" not in shown.lower()


async def test_what_was_stored_for_one_key_is_not_taken_for_another(make: Make, provider: Provider) -> None:
    storage = MemoryStorage()
    client = await make(storage)
    uri = await client.sign_in(CALLBACK)
    (pending,) = storage.values.values()
    storage.set("connectors-session", pending)
    assert client.is_authenticated() is False
    storage.set("connectors-pending", pending[:-4])
    with pytest.raises(StateMismatch):
        await client.handle_sign_in_callback(await answer(provider, uri))


async def test_a_callback_is_of_the_browser_that_began_and_works_once(make: Make, provider: Provider) -> None:
    storage = MemoryStorage()
    client = await make(storage)
    callback = await answer(provider, await client.sign_in(CALLBACK))
    mine = dict(storage.values)
    storage.values.clear()
    with pytest.raises(StateMismatch):
        await client.handle_sign_in_callback(callback)
    await client.sign_in(CALLBACK)
    with pytest.raises(StateMismatch):
        await client.handle_sign_in_callback(callback)
    storage.values = dict(mine)
    await client.handle_sign_in_callback(callback)
    storage.values = dict(mine)
    with pytest.raises(TransactionConsumed):
        await client.handle_sign_in_callback(callback)
    assert client.is_authenticated() is False


async def test_two_tabs_both_sign_in(make: Make, provider: Provider) -> None:
    client = await make()
    first, second = await client.sign_in(CALLBACK), await client.sign_in(CALLBACK)
    await client.handle_sign_in_callback(await answer(provider, first))
    assert client.is_authenticated()
    with pytest.raises(StateMismatch):  # and one is enough
        await client.handle_sign_in_callback(await answer(provider, second))
    assert client.is_authenticated()


async def test_there_are_two_interaction_modes(make: Make) -> None:
    client = await make()
    with pytest.raises(ValueError, match="signIn or signUp"):
        await client.signIn(CALLBACK, interactionMode="register")


async def test_an_outage_keeps_nobody_signed_in(
    make: Make, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = MemoryStorage()
    client = await make(storage)
    await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))

    async def down(*_: Any, **__: Any) -> None:
        raise StorageError("the database is away")

    monkeypatch.setattr(Hub, "take_handle", down)
    assert await client.sign_out(f"{BASE}/bye") == f"{BASE}/bye"
    assert storage.values == {}


async def test_who_says_no_is_not_signed_in(make: Make, provider: Provider) -> None:
    client = await make()
    provider.denies_with = "access_denied"
    with pytest.raises(AccessDenied):
        await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    assert client.is_authenticated() is False


async def test_strangers_are_refused_where_sign_up_is_off(make: Make, provider: Provider) -> None:
    client = await make(sign_up=False)
    with pytest.raises(Refused) as raised:
        await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    assert raised.value.code == "sign_up_closed"
    assert client.is_authenticated() is False


async def test_a_session_ends_when_its_time_is_over(make: Make, provider: Provider, clock: Clock) -> None:
    client = await make(session_lifetime=60)
    await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    clock.now += 60
    assert client.is_authenticated() is False


async def test_an_access_token_of_the_provider(
    make: Make, provider: Provider, settings: dict[str, Any]
) -> None:
    acme = settings["connectors"]["acme"] | {"token_storage": True}
    keys = Keyring({"key-1": b"1" * 32})
    client = await make(connectors={"acme": acme}, keys=keys)
    with pytest.raises(Refused):
        await client.getAccessToken()
    await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    token = await client.getAccessToken()
    assert token in provider.ledger.access_tokens
    assert await client.get_access_token("acme") == token


async def test_without_token_storage_there_is_no_access_token(make: Make, provider: Provider) -> None:
    client = await make()
    await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    with pytest.raises(NotLinked):
        await client.get_access_token()


async def test_of_several_connectors_each_has_its_redirect_uri(
    make: Make, provider: Provider, settings: dict[str, Any]
) -> None:
    """RFC 9700 §4.4.2: an answer at the redirect URI of one is never redeemed at another."""
    table = settings["connectors"]["acme"]
    client = await make(connectors={"acme": table, "poster": table})
    with pytest.raises(Refused, match="there are acme, poster"):
        await client.sign_in(CALLBACK)
    with pytest.raises(ConfigurationError, match="redirect_uri"):
        await client.sign_in(CALLBACK, connector="acme")
    uri = await client.sign_in(f"{CALLBACK}/acme", connector="acme")
    callback = await answer(provider, uri)
    with pytest.raises(StateMismatch):
        await client.handle_sign_in_callback(callback.replace("/acme?", "/poster?"))
    assert provider.requests.count("token") == 0
    await client.handle_sign_in_callback(callback)
    assert client.is_authenticated()


def test_memory_serves_in_tests_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    memory = MemoryStorage()
    uses = partial(memory.get, "k"), partial(memory.set, "k", "v"), partial(memory.delete, "k")
    for use in uses:
        with pytest.raises(ConfigurationError, match="storage"):
            use()
    MemoryStorage(in_tests=True).set("k", "v")


async def test_a_client_without_a_storage_signs_nobody_in_outside_tests(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await make()
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    with pytest.raises(ConfigurationError, match=r"flask\.session"):
        await client.sign_in(CALLBACK)
    with pytest.raises(ConfigurationError):
        client.is_authenticated()


def test_a_client_says_what_is_wrong_with_it(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        Client(secret="short", database=None, connectors={})
    with pytest.raises(ConfigurationError, match="connectors"):
        Client(secret=settings["secret"], database=None, connectors={})
    with pytest.raises(TypeError, match="database"):
        Client(secret=settings["secret"], hub=Hub(settings["registry"]), database=None)


async def test_the_articles_code_runs_with_its_construction_changed(
    provider: Provider, settings: dict[str, Any]
) -> None:
    """Flask's routes as Logto's articles have them, and a callback in the same manner."""
    provider.register(
        "client-1",
        secret=settings["connectors"]["acme"]["config"]["clientSecret"],
        redirect_uris=("http://localhost:3000/callback",),
    )
    from flask import Flask, redirect, request, session

    class SessionStorage(Storage):
        def get(self, key: str) -> str | None:
            return cast("str | None", session.get(key, None))

        def set(self, key: str, value: str | None) -> None:
            session[key] = value

        def delete(self, key: str) -> None:
            session.pop(key, None)

    told = {name: settings[name] for name in settings if name != "base_url"}
    client = Client(**told, storage=SessionStorage())
    app = Flask("article")
    app.secret_key = "fake-secret-key-of-flask"

    @app.route("/sign-in")
    async def sign_in() -> Any:
        return redirect(await client.signIn(
            redirectUri="http://localhost:3000/callback",
            interactionMode="signUp",
        ))  # fmt: skip

    @app.route("/callback")
    async def callback() -> Any:
        await client.handleSignInCallback(request.url)
        return redirect("/")

    @app.route("/sign-out")
    async def sign_out() -> Any:
        return redirect(
            await client.signOut(postLogoutRedirectUri="http://localhost:3000/")
        )  # fmt: skip

    @app.route("/")
    async def home() -> str:
        if client.isAuthenticated() is False:
            return "Not authenticated <a href='/sign-in'>Sign in</a>"
        return "Authenticated <a href='/sign-out'>Sign out</a>"

    browser = Browser(in_thread(httpx.WSGITransport(app=app)), provider, BASE)
    try:
        assert "Not authenticated" in (await browser.get("/")).text
        await browser.come_back(await browser.get("/sign-in"))
        assert (await browser.get("/")).text.startswith("Authenticated")
        assert len(browser.cookies["session"]) < 4000
        assert (await browser.get("/sign-out")).headers["location"].startswith("https://provider.test/")
        assert "Not authenticated" in (await browser.get("/")).text
        assert "connectors-" not in str(browser.cookies)
    finally:
        await asyncio.to_thread(client.close)


async def test_another_person_replaces_who_was_signed_in(make: Make, provider: Provider) -> None:
    client = await make()
    await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    before = client.get_id_token_claims().sub
    provider.people = {BOB.sub: BOB}
    await client.handle_sign_in_callback(await answer(provider, await client.sign_in(CALLBACK)))
    assert client.get_id_token_claims().sub != before
