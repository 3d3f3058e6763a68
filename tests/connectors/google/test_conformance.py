"""Google, held to what every connector must do, and to what Google does."""

from __future__ import annotations

from connectors_google import Google

from connectors_core import Profile
from connectors_core.testing.conformance import OIDCConformance
from connectors_core.testing.profiles import profile


class TestGoogle(OIDCConformance):
    connector = Google
    config = {"offlineAccess": True}
    profile = profile("google")
    expected = Profile(
        id="110169484474386276334",
        name="Alice Example",
        avatar="https://lh3.googleusercontent.com/a/alice",
        email="alice@example.org",
        email_verified=True,
    )
