"""The profile that a connector reads where its type says nothing else."""

from __future__ import annotations

import httpx
import pytest

from connectors_core.errors import ConnectorMisconfigured, InvalidResponse, Step
from connectors_core.oauth2 import ProfileMap

from .conftest import TOKENS, typed_in


async def test_the_default_profile_is_userinfo_through_the_map(make, sender):
    sender.answers = [httpx.Response(200, json={"data": {"id": 5, "mail": "a@x"}, "name": "Ada"})]
    connector = make(
        profile_map=ProfileMap(id="data.id", email="data.mail"), userinfo_parameters={"fields": "id,mail"}
    )
    profile = await connector.profile(None, TOKENS)
    assert (profile.id, profile.email, profile.email_verified, profile.name) == ("5", "a@x", None, "Ada")
    request = sender.requests[0]
    assert str(request.url) == "https://api.example/me?fields=id%2Cmail"
    assert request.headers["Authorization"] == "Bearer at"


@pytest.mark.parametrize("body", [[], "x", 1, None])
async def test_userinfo_that_is_no_object_is_invalid(body, make, sender):
    sender.answers = [httpx.Response(200, json=body)]
    with pytest.raises(InvalidResponse):
        await make().profile(None, TOKENS)


async def test_without_a_userinfo_endpoint_there_is_no_default_profile(make):
    with pytest.raises(ConnectorMisconfigured) as caught:
        await make(server=typed_in()).profile(None, TOKENS)
    assert caught.value.step is Step.USERINFO
