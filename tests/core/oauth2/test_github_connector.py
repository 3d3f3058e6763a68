"""A connector written as an author would: what it costs, and that it tells the truth."""

from __future__ import annotations

import ast
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors_core.connector import CallbackIssuer
from connectors_core.errors import InvalidGrant, ProfileInvalid
from connectors_core.oauth2 import BearerApi
from connectors_core.profile import IdentityKey
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Callback
from tests.core.oauth2 import github_connector
from tests.core.oauth2.github_connector import GitHub

TOKENS = TokenSet(access_token="at")
USER = {
    "id": 583231,
    "login": "octocat",
    "name": None,
    "avatar_url": "https://a.example/1",
    "email": "p@x.example",
}


def code_lines(path: Path) -> int:
    source = path.read_text()
    tree = ast.parse(source)
    doc = {n for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}
    skip = {line for n in doc for line in range(n.lineno, (n.end_lineno or n.lineno) + 1)}
    return sum(
        1
        for number, line in enumerate(source.splitlines(), 1)
        if line.strip() and not line.strip().startswith("#") and number not in skip
    )


def test_it_takes_at_most_40_code_lines():
    assert code_lines(Path(github_connector.__file__)) <= 40


@pytest.mark.parametrize(
    ("name", "emails", "expected"),
    [
        ("a verified primary", [{"email": "a@x", "primary": True, "verified": True}], ("a@x", True)),
        ("an unverified primary", [{"email": "a@x", "primary": True, "verified": False}], ("a@x", False)),
        (
            "an unverified primary beside a verified address",
            [
                {"email": "b@x", "primary": False, "verified": True},
                {"email": "a@x", "primary": True, "verified": False},
            ],
            ("a@x", False),
        ),
        ("a primary of which nothing is said", [{"email": "a@x", "primary": True}], ("a@x", None)),
        ("a flag that is text", [{"email": "a@x", "primary": True, "verified": "true"}], ("a@x", None)),
        ("no primary", [{"email": "b@x", "primary": False, "verified": True}], (None, None)),
        ("no addresses", [], (None, None)),
        ("rubbish", [1, None, "x", []], (None, None)),
        ("an object", {"message": "Not Found"}, (None, None)),
    ],
)
async def test_the_email_is_that_of(name, emails, expected, make, sender):
    sender.answers = [httpx.Response(200, json=USER), httpx.Response(200, json=emails)]
    github = make(GitHub)
    profile = await github.profile(BearerApi.of(github, TOKENS), TOKENS)
    assert (profile.email, profile.email_verified) == expected
    assert (profile.id, profile.name, profile.avatar) == ("583231", "octocat", "https://a.example/1")
    assert [str(r.url) for r in sender.requests] == [
        "https://api.github.com/user",
        "https://api.github.com/user/emails",
    ]


async def test_a_user_that_is_no_object_is_no_profile(make, sender):
    sender.answers = [httpx.Response(200, json=[])]
    github = make(GitHub)
    with pytest.raises(ProfileInvalid):
        await github.profile(BearerApi.of(github, TOKENS), TOKENS)


async def test_the_authorization_uri_and_the_issuer(make, transaction):
    github = make(GitHub)
    uri = urlsplit(await github.authorization_uri(transaction(scopes=github.scopes_to_request(None))))
    assert (uri.netloc, uri.path) == ("github.com", "/login/oauth/authorize")
    assert parse_qs(uri.query)["scope"] == ["read:user user:email"]
    assert await github.callback_issuer() == CallbackIssuer("https://github.com/login/oauth", False)


async def test_a_form_encoded_answer_with_commas_is_read(make, sender, transaction):
    sender.answers = [
        httpx.Response(
            200,
            content=b"access_token=at&scope=read%3Auser%2Cuser%3Aemail&token_type=bearer",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    ]
    github = make(GitHub)
    tokens = await github.exchange(Callback(code="c"), transaction())
    assert tokens.scopes == {"read:user", "user:email"}
    sender.answers = [httpx.Response(200, json=USER), httpx.Response(200, json=[])]
    profile = await github.profile(BearerApi.of(github, tokens), tokens)
    assert github.identity(profile, tokens) == IdentityKey("https://github.com/login/oauth", "583231")


async def test_its_200_with_an_error_is_a_dead_code(make, sender, transaction):
    sender.answers = [httpx.Response(200, json={"error": "bad_verification_code"})]
    with pytest.raises(InvalidGrant):
        await make(GitHub).exchange(Callback(code="c"), transaction())
