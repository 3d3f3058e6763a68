"""The hub's face for what providers sign and others carry: ID tokens without a code, logout tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..connector import LogoutToken, ReceivesLogout, VerifiesCredential
from ..errors import ConnectorError, NotFound, Step
from ..transaction import Purpose

if TYPE_CHECKING:
    from ..flow import Completed
    from .entry import ConnectorEntry
    from .shared import Shared


class SignedFace:
    """The part of a tenant's face that is about tokens which no code was redeemed for."""

    _shared: Shared
    name: str

    if TYPE_CHECKING:

        def _enabled(self, connector_id: str) -> ConnectorEntry: ...

    async def verify_credential(
        self, connector: str, credential: str, *, nonce: str, data: Mapping[str, Any] | None = None
    ) -> Completed:
        """Who came with an ID token of One Tap or of an SDK on a device; there are no tokens to keep.

        ``nonce`` is one that the host gave out and takes back only once; ``data`` comes back with the
        result. Raises NotFound where the connector accepts none, TransportError, ProviderError.
        """
        from ..flow import Completed, contained
        from ..oauth2.api import BearerApi

        entry = self._enabled(connector)
        if not isinstance(entry.connector, VerifiesCredential):
            raise NotFound("there is no connector of that id that takes credentials")
        try:
            with contained(entry.connector, Step.ID_TOKEN):
                tokens = await entry.connector.verify_credential(credential, nonce=nonce)
            with contained(entry.connector, Step.PROFILE):
                profile = await entry.connector.profile(BearerApi.of(entry.connector, tokens), tokens)
                identity = entry.connector.identity(profile, tokens)
        except ConnectorError as error:
            reason = {"code": error.code, "step": error.step.value}
            self._shared.tell("authorization.failed", self.name, entry, None, **reason)
            raise
        self._shared.tell("authorization.completed", self.name, entry, None, purpose=Purpose.SIGN_IN.value)
        return Completed(
            profile=profile,
            tokens=tokens,
            identity=identity,
            tenant=self.name,
            connector=entry.id,
            purpose=Purpose.SIGN_IN,
            owner=None,
            data=dict(data or {}),
        )

    async def verify_logout_token(self, connector: str, token: str) -> LogoutToken:
        """Whom a provider signed out, by a token that it sent to this host. Back-Channel Logout 1.0 §2.6.

        It counts once: remember ``jti`` until ``expires_at``. Raises NotFound where the connector
        receives none, LogoutTokenRejected, DiscoveryRejected, TransportError.
        """
        from ..flow import contained

        entry = self._enabled(connector)
        if not isinstance(entry.connector, ReceivesLogout):
            raise NotFound("there is no connector of that id that receives logout tokens")
        with contained(entry.connector, Step.ID_TOKEN):
            return await entry.connector.verify_logout_token(token)
