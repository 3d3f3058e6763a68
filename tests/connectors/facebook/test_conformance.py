"""Facebook, held to what every connector must do."""

from __future__ import annotations

from connectors_facebook import Facebook

from connectors_core import Profile
from connectors_core.testing.conformance import OAuth2Conformance

GRAPH = "https://graph.facebook.com/v23.0"


class TestFacebook(OAuth2Conformance):
    connector = Facebook
    config = {"clientId": "1234567890"}
    provider = {"refresh_tokens": "never"}
    responses = {
        f"{GRAPH}/me": {
            "id": "10158",
            "name": "Alice Example",
            "email": "alice@example.org",
            "picture": {"data": {"url": "https://scontent.example/1.jpg", "is_silhouette": False}},
        },
        f"DELETE {GRAPH}/me/permissions": {"success": True},
    }
    expected = Profile(
        id="10158",
        name="Alice Example",
        avatar="https://scontent.example/1.jpg",
        email="alice@example.org",
    )


class TestLongLivedTokens(TestFacebook):
    config = {"clientId": "1234567890", "longLivedTokens": True}
    responses = {
        **TestFacebook.responses,
        f"POST {GRAPH}/oauth/access_token?grant_type=fb_exchange_token": {
            "access_token": "fake-long-lived-token",
            "token_type": "bearer",
            "expires_in": 5183944,
        },
    }
