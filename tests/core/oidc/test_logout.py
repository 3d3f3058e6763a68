from __future__ import annotations

import pytest

from connectors_core.errors import ConnectorMisconfigured
from connectors_core.oidc import build_end_session_uri


def test_the_uri_carries_what_is_known_behind_the_endpoints_own_query() -> None:
    uri = build_end_session_uri(
        "https://op.example/end?p=a%20b",
        client_id="client-1",
        id_token_hint="aaa.bbb.ccc",
        post_logout_redirect_uri="https://host.example/bye?x=1",
        state="s",
    )
    assert uri == (
        "https://op.example/end?p=a%20b&client_id=client-1&id_token_hint=aaa.bbb.ccc"
        "&post_logout_redirect_uri=https%3A%2F%2Fhost.example%2Fbye%3Fx%3D1&state=s"
    )


def test_without_a_redirect_uri_there_is_no_state_to_return() -> None:
    uri = build_end_session_uri(
        "https://op.example/end", client_id="c", id_token_hint=None, post_logout_redirect_uri=None, state="s"
    )
    assert uri == "https://op.example/end?client_id=c"


@pytest.mark.parametrize("endpoint", ["http://op.example/end", "https://op.example/end?client_id=x", ""])
def test_an_endpoint_that_cannot_be_used_is_refused(endpoint: str) -> None:
    with pytest.raises(ConnectorMisconfigured):
        build_end_session_uri(
            endpoint, client_id="c", id_token_hint=None, post_logout_redirect_uri=None, state=None
        )
