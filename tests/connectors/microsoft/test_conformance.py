"""Microsoft, held to what every connector must do, and to what Microsoft does."""

from __future__ import annotations

from connectors_microsoft import Microsoft

from connectors_core import Profile
from connectors_core.testing.conformance import OIDCConformance
from connectors_core.testing.profiles import profile
from connectors_core.testing.profiles.microsoft import TENANT


class TestMicrosoft(OIDCConformance):
    connector = Microsoft
    config = {"scope": "openid profile email offline_access"}
    profile = profile("microsoft")
    email_verified_by = ("xms_edov",)
    expected = Profile(
        id="00000000-0000-0000-66f3-3332eca7ea81",
        name="Alice Example",
        email="alice@contoso.example",
        email_verified=True,
    )


class TestOneTenant(TestMicrosoft):
    config = {**TestMicrosoft.config, "tenantId": TENANT}
    provider = {"issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0"}
    outcomes = {"microsoft.personal-account": "id_token_invalid"}
