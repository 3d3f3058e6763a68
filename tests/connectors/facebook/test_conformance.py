"""Facebook, held to what every connector must do, and to what Facebook does."""

from __future__ import annotations

from connectors_facebook import Facebook

from connectors_core import Profile
from connectors_core.testing.conformance import OAuth2Conformance
from connectors_core.testing.profiles import profile


class TestFacebook(OAuth2Conformance):
    connector = Facebook
    config = {"clientId": "1234567890"}
    profile = profile("facebook")
    expected = Profile(
        id="10158",
        name="Alice Example",
        avatar="https://platform-lookaside.fbsbx.com/1.jpg",
        email="alice@example.org",
    )


class TestLongLivedTokens(TestFacebook):
    config = {"clientId": "1234567890", "longLivedTokens": True}
