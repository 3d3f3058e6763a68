"""Mistakes are told when the application is made, all at once."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from connectors_embedded import Settings
from connectors_embedded.pages import POLICY, STYLE, sign_in_page
from connectors_embedded.sealing import Sealer
from hypothesis import given
from hypothesis import strategies as st

from connectors_core import ConfigurationError
from tests.canary import Canary


def problems(**settings: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        Settings(**settings)
    return [".".join(each.path) for each in raised.value.problems]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "http://app.test"),
        ("base_url", "https://app.test/"),
        ("base_url", "https://app.test/path"),
        ("base_url", "app.test"),
        ("secret", "short"),
        ("secret", []),
        ("secret", ["a-long-fake-secret-of-the-application", "short"]),
        ("prefix", "auth"),
        ("prefix", "/auth/"),
        ("prefix", "/a b"),
        ("session_lifetime", 0),
        ("after_sign_out", "//evil.example"),
        ("after_sign_out", "https://evil.example/"),
        ("after_sign_out", "/auth/sign-out"),
        ("connectors", {}),
    ],
)
def test_a_mistake_is_named(settings: dict[str, Any], name: str, value: Any) -> None:
    assert problems(**settings | {name: value}) == [name]


def test_routes_have_names_of_one_segment(settings: dict[str, Any]) -> None:
    routes = {"sign_in": "a/b", "elsewhere": "x"}
    assert problems(**settings | {"routes": routes}) == ["routes.sign_in", "routes.elsewhere"]


def test_all_mistakes_of_the_connectors_are_told_at_once(settings: dict[str, Any]) -> None:
    connectors: dict[str, Any] = {"acme": {"config": {}}, "nobody": {"config": {}}}
    found = problems(**settings | {"connectors": connectors})
    assert any(path.startswith("connectors.acme.config") for path in found)
    assert any(path.startswith("connectors.nobody") for path in found)


def test_settings_show_no_secret(settings: dict[str, Any], canary: Canary) -> None:
    canary.check(Settings(**settings))
    with pytest.raises(ConfigurationError) as raised:
        Settings(**settings | {"base_url": canary.secret("not-a-url"), "prefix": canary.secret("prefix")})
    canary.check(raised.value)


def test_a_page_to_choose_carries_the_logos_and_localised_names(settings: dict[str, Any]) -> None:
    google: dict[str, Any] = {"config": {"clientId": "my-app", "clientSecret": "fake-secret"}}
    oidc = {
        "config": {"issuer": "https://id.test", "clientId": "my-app"},
        "name": {"ja": "アクメ"},
        "order": -1,
    }
    connectors = {"google": google, "oidc": oidc}
    made = Settings(**{k: v for k, v in settings.items() if k != "registry"} | {"connectors": connectors})
    page = sign_in_page(made.entries, "/auth/sign-in", None)
    assert page.index("Continue with アクメ") < page.index("Continue with Google")
    assert page.count('src="data:image/svg+xml;base64,') == 2
    dark = 'media="(prefers-color-scheme: dark)" srcset="data:image/svg+xml;base64,'
    assert page.count(dark) == sum(entry.logo() != entry.logo(dark=True) for entry in made.entries) > 0
    assert hashlib.sha256(STYLE.encode()).digest() == base64.b64decode(
        POLICY.split("sha256-")[1].split("'")[0]
    )
    assert f"<style>{STYLE}</style>" in page


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(), max_size=3))
def test_what_is_sealed_opens_for_its_use_and_audience_alone(content: dict[str, int]) -> None:
    one, other = (Sealer(["a-fake-secret-of-more-than-32-bytes"], audience=name) for name in ("one", "other"))
    sealed = one.seal("session", content)
    assert one.unseal("session", sealed) == content
    assert one.unseal("pending", sealed) is None
    assert other.unseal("session", sealed) is None
    assert one.seal("session", content) != sealed


@given(st.text())
def test_anything_may_be_brought_to_be_opened(text: str) -> None:
    assert Sealer(["a-fake-secret-of-more-than-32-bytes"], audience="x").unseal("session", text) is None
