"""The host as a provider, before npm `openid-client` in strict settings: a certified relying party."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from shutil import which
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
import pytest_asyncio
from authlib.oidc.discovery import OpenIDProviderMetadata  # type: ignore[import-untyped]
from connectors_host import create_app
from connectors_host.server import address, listen

from connectors_core.http import HttpSender
from connectors_core.hub import Hub
from connectors_core.metadata import ConnectorMetadata
from connectors_core.oidc import OIDCConnector
from connectors_core.testing.provider import Client, Provider
from tests.canary import Canary
from tests.interop.conftest import HERE, cannot, watch
from tests.serving import configured, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLBACK = "http://127.0.0.1:9/callback"
SECRET = "fake secret+with%every:kind/of~character="

CONFIGURATION = """
[host]
base_url = "{base}"
database = "sqlite:///{folder}/host.db"
allow_private_network = true

[connectors.acme]
type = "relying-oidc"
[connectors.acme.config]
clientId = "client-1"
clientSecret = "{secret}"

[apps.confidential]
secret = "literal:{secret}"
redirect_uris = ["{callback}"]
post_logout_redirect_uris = ["http://127.0.0.1:9/bye"]

[apps.public]
redirect_uris = ["{callback}"]
"""


class RelyingOIDC(OIDCConnector):
    id = "relying-oidc"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    issuer = "https://provider.test"


class Person:
    """Somebody with a browser."""

    def __init__(self, base: str, provider: Provider) -> None:
        self.provider = provider
        self.http = httpx.AsyncClient(
            base_url=base, headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        )

    async def go(self, uri: str) -> str:
        """Follow ``uri``, signing in where that is asked for, to the application's callback."""
        for _ in range(10):
            answer = await self.http.get(uri)
            uri = answer.headers["location"]
            if uri.startswith("http://127.0.0.1:9/"):
                return uri
            if uri.startswith("https://provider.test/"):
                landing = await self.provider.visit(uri)
                uri = landing.uri + "?" + urlencode(landing.parameters)
            elif urlsplit(uri).path == "/sign-in":
                uri = f"/sign-in/acme?{urlsplit(uri).query}"
        raise AssertionError("the browser was sent around in circles")


class RelyingParty:
    """The script under Node.js, step by step."""

    def __init__(self, process: asyncio.subprocess.Process, canary: Canary) -> None:
        self._process = process
        self._canary = canary

    async def line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(await self._process.stdout.readline()))

    async def __call__(self, step: str, **given: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"step": step, **given}).encode() + b"\n")
        answer = await self.line()
        watch(self._canary, answer.get("tokens", {}).items())
        if "uri" in answer:
            watch(self._canary, parse_qsl(urlsplit(answer["uri"]).query))
        return answer


Open = Callable[..., Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, Provider]]:
    folder = tmp_path_factory.mktemp("openid-client")
    listener = listen("127.0.0.1", 0)
    base = address(listener)
    provider = Provider(clients={"client-1": Client(secret=SECRET, redirect_uris=(f"{base}/callback/acme",))})
    text = CONFIGURATION.format(base=base, folder=folder, secret=SECRET, callback=CALLBACK)
    configuration = configured(folder, text, RelyingOIDC)
    sender = HttpSender(transport=provider.transport())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(sender.aclose)
        app = create_app(configuration, hub=Hub.from_config(configuration, sender=sender))
        await stack.enter_async_context(serving(app, listener))
        yield base, provider


@pytest.fixture
def relying_party(served: tuple[str, Provider], canary: Canary) -> Open:
    """``async with relying_party("client_secret_basic") as party``."""
    node = which("node")
    if node is None:
        cannot("needs Node.js 20 or newer (node)")
    if not (HERE / "relying_parties" / "node_modules" / "openid-client").is_dir():
        cannot("needs the npm package openid-client: cd tests/interop/relying_parties && npm ci")

    @asynccontextmanager
    async def opened(method: str) -> AsyncIterator[RelyingParty]:
        known = {
            "issuer": f"{served[0]}/oidc",
            "client_id": "public" if method == "none" else "confidential",
            "client_secret": SECRET,
            "redirect_uri": CALLBACK,
            "method": method,
        }
        process = await asyncio.create_subprocess_exec(
            node,
            "openid_client.mjs",
            json.dumps(known),
            cwd=HERE / "relying_parties",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        try:
            party = RelyingParty(process, canary)
            assert await party.line() == {"ready": True}
            yield party
        finally:
            process.terminate()
            await process.wait()

    return opened


@pytest_asyncio.fixture(loop_scope="session")
async def person(served: tuple[str, Provider], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Person]:
    # A browser shows its addresses, codes and all; what it says is not ours.
    for name in ("httpx", "httpcore"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", False)
    somebody = Person(*served)
    yield somebody
    await somebody.http.aclose()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_code_pkce_nonce_refresh_userinfo_revocation_and_end_of_session(
    relying_party: Open, person: Person, served: tuple[str, Provider], method: str, canary: Canary
) -> None:
    async with relying_party(method) as party:
        begun = await party("begin", parameters={"scope": "openid offline_access profile email"})
        landed = await person.go(begun["uri"])
        assert dict(parse_qsl(urlsplit(landed).query))["iss"] == f"{served[0]}/oidc"
        done = await party("complete", uri=landed)
        assert "error" not in done, done
        claims = done["claims"]
        assert (claims["name"], claims["email"]) == ("Alice Example", "alice@example.test")
        renewed = await party("refresh", token=done["tokens"]["refresh_token"])
        assert "error" not in renewed, renewed
        assert renewed["claims"]["sub"] == claims["sub"]
        asked = {"token": renewed["tokens"]["access_token"], "sub": claims["sub"]}
        assert (await party("userinfo", **asked))["claims"]["email"] == claims["email"]
        assert await party("revoke", token=renewed["tokens"]["refresh_token"]) == {}
        gone = await party("refresh", token=renewed["tokens"]["refresh_token"])
        assert gone["error"] == "invalid_grant"
        hint = {"id_token_hint": done["tokens"]["id_token"]}
        if method != "none":
            hint |= {"post_logout_redirect_uri": "http://127.0.0.1:9/bye", "state": "after-the-logout"}
        logout = await party("logout", parameters=hint)
        answer = await person.http.get(logout["uri"], headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, "/sign-out/provider?h=" in answer.text) == (200, True)
        assert (await person.http.get("/user")).json() == {"isAuthenticated": False}


async def test_max_age_and_prompt(relying_party: Open, person: Person) -> None:
    async with relying_party("client_secret_basic") as party:
        for parameters in ({"max_age": "3600"}, {"prompt": "none"}, {"prompt": "login"}, {"max_age": "1"}):
            begun = await party("begin", parameters={"scope": "openid", **parameters})
            landed = await person.go(begun["uri"])
            done = await party("complete", uri=landed)
            assert "error" not in done, (parameters, done)


async def test_nobody_is_there(relying_party: Open, person: Person) -> None:
    async with relying_party("client_secret_basic") as party:
        begun = await party("begin", parameters={"scope": "openid", "prompt": "none"})
        done = await party("complete", uri=await person.go(begun["uri"]))
        assert done["error"] == "login_required"


async def test_an_answer_of_another_issuer_is_noticed(relying_party: Open, person: Person) -> None:
    """RFC 9207: the relying party was told that ``iss`` comes, and holds it against the issuer."""
    async with relying_party("client_secret_basic") as party:
        for change in ({"iss": "https://evil.test"}, {"iss": None}, {"state": "another-state-altogether"}):
            begun = await party("begin", parameters={"scope": "openid"})
            landed = urlsplit(await person.go(begun["uri"]))
            query = {k: v for k, v in {**dict(parse_qsl(landed.query)), **change}.items() if v is not None}
            done = await party("complete", uri=landed._replace(query=urlencode(query)).geturl())
            assert "error" in done, change


async def test_the_metadata_is_as_the_specification_has_it(relying_party: Open) -> None:
    async with relying_party("none") as party:
        metadata = (await party("metadata"))["metadata"]
    OpenIDProviderMetadata(metadata).validate()
    assert metadata["authorization_response_iss_parameter_supported"] is True
