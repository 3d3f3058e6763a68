"""``extra_claims``: what else a provider says reaches ``/user``, and only what the operator lists."""

from __future__ import annotations

from typing import Any

import pytest

from connectors_core.config import load_configuration
from connectors_core.errors import ConfigurationError
from connectors_core.testing.provider import Person
from tests.host.conftest import Running, Start

LISTED = 'extra_claims = ["department", "groups", "level"]'


def person(**claims: Any) -> Person:
    return Person(claims={"name": "Alice Example", "email": "alice@example.test", **claims})


async def said(running: Running, **claims: Any) -> Any:
    """What ``/user`` says after a sign-in with ID tokens that hold ``claims``."""
    running.at_the_provider_sits(Person())
    browser = running.browser()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(running.provider), "edited", _adding(type(running.provider).edited, claims))
        await browser.sign_in()
    return (await browser.user())["claims"]


def _adding(edited: Any, claims: dict[str, Any]) -> Any:
    def adding(self: Any, stage: str, value: Any) -> Any:
        return edited(self, stage, {**value, **claims} if stage == "claims" else value)

    return adding


async def test_listed_claims_reach_the_user_and_others_do_not(start: Start) -> None:
    running = await start(acme=LISTED)
    claims = await said(running, department="R&D", groups=["a", "b"], level=3, salary=1)
    assert (claims["department"], claims["groups"], claims["level"]) == ("R&D", ["a", "b"], 3)
    assert "salary" not in claims
    export = await running.host.hub.identities(claims["sub"])
    assert export[0].profile["claims"] == {"department": "R&D", "groups": ["a", "b"], "level": 3}


@pytest.mark.parametrize(
    ("sync", "department"), [('sync_profile = "sign_in"', "Sales"), ('sync_profile = "sign_up"', "R&D")]
)
async def test_they_follow_sync_profile_and_what_is_no_longer_said_stays(
    start: Start, sync: str, department: str
) -> None:
    running = await start(acme=f"{LISTED}\n{sync}")
    await said(running, department="R&D", level=3)
    claims = await said(running, department="Sales")
    assert (claims["department"], claims["level"]) == (department, 3)


async def test_a_claim_that_is_too_long_is_left_out(start: Start) -> None:
    running = await start(acme=LISTED)
    claims = await said(running, department="x" * 3000, level=1)
    assert ("department" in claims, claims["level"]) == (False, 1)


async def test_a_claim_that_is_not_listed_any_more_is_not_shown(start: Start) -> None:
    running = await start(acme=LISTED)
    assert (await said(running, department="R&D"))["department"] == "R&D"
    later = await start(acme='extra_claims = ["level"]')
    assert "department" not in await said(later)


@pytest.mark.parametrize("name", ["sub", "email", "email_verified", "two words", ""])
async def test_no_claim_of_the_account_s_own_can_be_listed(tmp_path: Any, name: str) -> None:
    file = tmp_path / "connectors.toml"
    file.write_text(f'[connectors.acme]\ntype = "oidc"\nextra_claims = ["{name}"]\n')
    with pytest.raises(ConfigurationError, match="extra_claims"):
        load_configuration(file)
