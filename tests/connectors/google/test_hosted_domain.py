"""A hosted domain that is configured holds whoever signs in, in whatever way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors_core.errors import IdTokenRejected
from connectors_core.hub import Hub
from connectors_core.testing.provider import Provider

from .conftest import Connect, sign_in


@pytest.mark.parametrize(
    ("configured", "hd"),
    [
        ("example.com", "example.com"),
        ("example.com", "Example.COM"),
        ("*", "other.example"),
        (None, None),
    ],
)
async def test_a_member_is_let_in(
    hub: Hub,
    connect: Connect,
    google: Provider,
    claiming: Callable[..., None],
    configured: str | None,
    hd: str | None,
):
    connect({"hostedDomain": configured})
    claiming(hd=hd)
    assert (await sign_in(hub, google)).profile.raw.get("hd") == hd


@pytest.mark.parametrize(
    ("configured", "hd"),
    [
        *[(c, hd) for c in ("example.com", "*") for hd in (None, "", ["example.com"], {}, False, 1)],
        ("example.com", "example.com.evil.example"),
        ("example.com", "*"),
    ],
)
async def test_nobody_else_is_whatever_their_address_says(
    hub: Hub,
    connect: Connect,
    google: Provider,
    claiming: Callable[..., None],
    configured: str,
    hd: Any,
):
    connect({"hostedDomain": configured})
    claiming(hd=hd, email="jane@example.com", email_verified=True)
    with pytest.raises(IdTokenRejected) as raised:
        await sign_in(hub, google)
    assert raised.value.claim == "hd"
    assert raised.value.code == "id_token_invalid"


async def test_a_callers_own_hd_changes_what_is_sent_and_not_what_is_accepted(
    hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None]
):
    connect({"hostedDomain": "example.com"})
    claiming(hd="other.example")
    with pytest.raises(IdTokenRejected):
        await sign_in(hub, google, parameters={"hd": "other.example"})


async def test_one_tap_and_a_refresh_are_held_to_it(
    hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None]
):
    connector = connect({"hostedDomain": "example.com", "offlineAccess": True})
    claiming(hd="example.com")
    tokens = (await sign_in(hub, google)).tokens
    claiming(hd="other.example")
    with pytest.raises(IdTokenRejected, match="hd"):
        await connector.refresh(tokens)
    with pytest.raises(IdTokenRejected, match="hd"):
        await connector.verify_credential(google.credential(nonce="n-1"), nonce="n-1")
