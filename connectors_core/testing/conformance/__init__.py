"""Conformance classes: what every connector must do, run against the provider under control.

::

    class TestGitHub(OAuth2Conformance):
        connector = GitHub
        responses = {"https://api.github.com/user": {"id": 1, …}}
        expected = Profile(id="1", …)

The provider answers at the addresses that the connector knows, without a network; ``responses`` are
what stands at any others. ``pytest --connector=module:GitHub`` prints the grid.
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from ...connector import EndsSession
from ...oidc import OIDCConnector
from ..emulation import Visitor
from .answers import Answers
from .protocol import Protocol
from .world import CALLBACK

__all__ = ["CALLBACK", "OAuth2Conformance", "OIDCConformance"]


class OAuth2Conformance(Protocol, Answers):
    """Derive a class named ``Test…`` from this; ``World`` tells what it states."""


class OIDCConformance(OAuth2Conformance):
    """As for OAuth 2.0, and every case of discovery, keys and ID tokens.

    - ``claims``: those of the ID token, over the usual ones (``sub`` is ``expected.id`` unless given).
    """

    connector: ClassVar[type[OIDCConnector]]

    def test_ends_sessions_only_with_an_endpoint(self) -> None:
        """OpenID Connect RP-Initiated Logout §2: a URI of the provider, or None."""

        async def act(actor: Visitor) -> None:
            connector = self._connector(actor)
            if not isinstance(connector, EndsSession):
                pytest.skip("this type ends no sessions")
            uri = await connector.end_session_uri(
                id_token_hint=None, post_logout_redirect_uri="https://host.test/", state="s"
            )
            server = await connector.server_metadata()
            assert (uri is None) == (server.end_session_endpoint is None)

        self._run(act)
