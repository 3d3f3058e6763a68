"""npm `oidc-provider` ends its session, and tells the host: both on sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from connectors_host import create_app
from connectors_host.server import address, listen
from connectors_oidc import OIDC

from tests.interop.conftest import Browser, node_server
from tests.interop.test_oidc_provider import KEYS, SECRET, client
from tests.serving import configured, serving

CONFIGURATION = """
[host]
base_url = "{base}"
database = "sqlite:///{folder}/host.db"
allow_private_network = true

[connectors.acme]
type = "oidc"
[connectors.acme.config]
issuer = "{issuer}"
clientId = "told"
clientSecret = "{secret}"
scope = "openid email"
"""


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """The host's address and the provider's, each told of the other."""
    listener = listen("127.0.0.1", 0)
    base = address(listener)
    told = client(
        "told",
        "client_secret_basic",
        redirect_uris=[f"{base}/callback/acme"],
        backchannel_logout_uri=f"{base}/backchannel-logout/acme",
        backchannel_logout_session_required=True,
    )
    with node_server(
        "oidc_provider_server.mjs", "oidc-provider", {"clients": [told], "keys": KEYS}
    ) as issuer:
        text = CONFIGURATION.format(base=base, folder=tmp_path, issuer=issuer, secret=SECRET)
        async with serving(create_app(configured(tmp_path, text, OIDC)), listener):
            yield base, issuer


async def sign_in(browser: Browser, base: str) -> None:
    landed = await browser.go(f"{base}/sign-in/acme", until=f"{base}/callback/acme")
    answer = await browser.http.get(f"{base}/callback/acme", params=landed.parameters)
    assert answer.status_code == 302
    assert await is_in(browser.http, base)


async def is_in(http: httpx.AsyncClient, base: str) -> bool:
    return bool((await http.get(f"{base}/user")).json()["isAuthenticated"])


async def test_who_signs_out_at_the_provider_is_signed_out_here(
    host: tuple[str, str], browser: Browser
) -> None:
    base, issuer = host
    async with httpx.AsyncClient() as http:
        elsewhere = Browser(http, browser.answers)
        await sign_in(elsewhere, base)
        await sign_in(browser, base)
        await browser.go(f"{issuer}/session/end", until=f"{issuer}/session/end/success")
        assert not await is_in(browser.http, base)
        assert await is_in(elsewhere.http, base), "the provider named one session, by its sid"
