"""How often the host opens the vault: pages and lists are made of what is readable without a key."""

from __future__ import annotations

from typing import Any

import pytest

from connectors_core.vault import Vault
from tests.host.conftest import Start

SEALED = 'token_storage = true\nrequestable_scopes = ["calendar", "offline_access"]'


@pytest.fixture
def vaults(monkeypatch: pytest.MonkeyPatch) -> list[Vault]:
    """Every vault that is made; each counts what it opens."""
    made: list[Vault] = []
    begin = Vault.__init__

    def remembered(vault: Vault, *arguments: Any, **options: Any) -> None:
        begin(vault, *arguments, **options)
        made.append(vault)

    monkeypatch.setattr(Vault, "__init__", remembered)
    monkeypatch.setenv("HOST_TEST_KEYS", "key-1:ZmFrZS1rZXktb2YtdGhlLWhvc3QtdGVzdHMtMzJiISE=")
    return made


async def test_no_page_and_no_status_opens_a_token(start: Start, vaults: list[Vault]) -> None:
    running = await start(host='vault_keys = "env:HOST_TEST_KEYS"', acme=SEALED)
    (vault,) = vaults
    browser = running.browser()
    assert (await browser.get("/sign-in")).status_code == 200
    await browser.sign_in()
    assert vault.seals > 0
    for path in ("/account", "/account/export"):
        page = await browser.get(path)
        assert (page.status_code, "acme" in page.text.lower()) == (200, True)
    assert vault.opens == 0
