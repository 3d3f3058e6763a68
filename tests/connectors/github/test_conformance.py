"""GitHub, held to what every connector must do, and to what GitHub does."""

from __future__ import annotations

from connectors_github import GitHub

from connectors_core import Profile
from connectors_core.testing.conformance import OAuth2Conformance
from connectors_core.testing.profiles import profile


class TestGitHub(OAuth2Conformance):
    connector = GitHub
    profile = profile("github")
    expected = Profile(
        id="583231",
        name="octocat",
        avatar="https://avatars.githubusercontent.com/u/583231?v=4",
        email="octocat@example.org",
        email_verified=True,
    )


class TestGitHubApp(TestGitHub):
    profile = profile("github-app")
