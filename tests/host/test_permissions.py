"""Which permissions are missing says the connector, on the page, in the API and in the export alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.host.conftest import Start, TestOIDC

KEYS = 'vault_keys = "env:TEST_VAULT_KEYS"'


@pytest.fixture(autouse=True)
def vault_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_VAULT_KEYS", "k1:" + "A" * 43 + "=")


def by_another_name(_: object, asked: Iterable[str], granted: Iterable[str]) -> frozenset[str]:
    """``profile`` comes as ``openid``."""
    known = {*granted} | ({"profile"} if "openid" in granted else set())
    return frozenset(asked) - known


async def test_what_was_granted_by_another_name_is_missing_nowhere(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TestOIDC, "missing_scopes", by_another_name)
    running = await start(host=KEYS, acme="token_storage = true")
    running.provider.refused_scopes = frozenset({"profile", "email"})
    browser = running.browser()
    await browser.sign_in()
    json = {"Accept": "application/json"}
    (identity,) = (await browser.get("/my-account/identities", headers=json)).json()["identities"]
    tokens = identity["tokens"]
    assert tokens["requestedScope"] == "email openid profile"
    assert "profile" not in tokens["scope"].split()
    assert tokens["missingScope"] == "email"
    (exported,) = (await browser.get("/account/export", headers=json)).json()["identities"]
    assert exported["tokens"]["missing"] == ["email"]
    shown = re.sub(r"<[^>]+>|\s+", " ", (await browser.get("/account")).text)
    assert re.findall(r"(\w+) +requested, not granted", shown) == ["email"]
