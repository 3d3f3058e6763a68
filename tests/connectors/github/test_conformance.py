"""GitHub, held to what every connector must do."""

from __future__ import annotations

from connectors_github import GitHub

from connectors_core import Profile
from connectors_core.testing.conformance import OAuth2Conformance


class TestGitHub(OAuth2Conformance):
    connector = GitHub
    provider = {"callback_iss": "unannounced", "errors_with_200": True, "rotation": "strict"}
    responses = {
        "https://api.github.com/user": {
            "login": "octocat",
            "id": 583231,
            "avatar_url": "https://avatars.example/583231",
            "name": None,
            "email": "public@example.org",
        },
        "https://api.github.com/user/emails": [
            {"email": "old@example.org", "primary": False, "verified": False, "visibility": None},
            {"email": "octocat@example.org", "primary": True, "verified": True, "visibility": "private"},
        ],
    }
    expected = Profile(
        id="583231",
        name="octocat",
        avatar="https://avatars.example/583231",
        email="octocat@example.org",
        email_verified=True,
    )
