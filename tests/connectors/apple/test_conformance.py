"""Apple, held to what every connector must do, and to what Apple does."""

from __future__ import annotations

from connectors_apple import Apple

from connectors_core import Profile
from connectors_core.testing.conformance import OIDCConformance
from connectors_core.testing.profiles import profile
from connectors_core.testing.provider import SigningKey
from connectors_core.testing.provider.keys import read_compact, verified

KEY = SigningKey.make("ES256", kid="ABCDE12345")


class TestApple(OIDCConformance):
    connector = Apple
    config = {"clientSecret": None, "teamId": "TEAM123456", "keyId": KEY.kid, "privateKey": KEY.pem()}
    profile = profile("apple")
    expected = Profile(
        id="001234.abcd5678abcd5678.0912",
        name="Alice Example",
        email="dpdcnf87nu@privaterelay.appleid.com",
        email_verified=True,
    )

    def accepts_secret(self, secret):
        header, claims, signing_input, signature = read_compact(secret)
        assert verified("ES256", KEY.private, signing_input, signature)
        assert (header["alg"], header["kid"]) == ("ES256", KEY.kid)
        return (claims["iss"], claims["sub"]) == ("TEAM123456", "client-1")
