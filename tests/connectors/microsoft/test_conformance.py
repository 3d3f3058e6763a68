"""Microsoft, held to what every connector must do."""

from __future__ import annotations

from connectors_microsoft import Microsoft

from connectors_core import Profile
from connectors_core.testing.conformance import OIDCConformance

TENANT = "72f988bf-0000-0000-0000-2d7cd011db47"


class TestMicrosoft(OIDCConformance):
    connector = Microsoft
    provider = {"issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0"}
    claims = {
        "oid": "00000000-0000-0000-66f3-3332eca7ea81",
        "tid": TENANT,
        "sub": "pairwise-alice",
        "name": "Alice Example",
        "preferred_username": "alice@contoso.example",
        "email": "alice@contoso.example",
        "xms_edov": True,
    }
    email_verified_by = ("xms_edov",)
    expected = Profile(
        id="00000000-0000-0000-66f3-3332eca7ea81",
        name="Alice Example",
        email="alice@contoso.example",
        email_verified=True,
    )


class TestOneTenant(TestMicrosoft):
    config = {"tenantId": TENANT}
