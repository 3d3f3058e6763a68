"""Which checks an OpenID Connect connector's declarations turn off or weaken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connector import Relaxation
from .id_token import LEEWAY, NoncePolicy

if TYPE_CHECKING:
    from .connector import OIDCConnector

_NONCE = {
    NoncePolicy.REQUIRED: "",
    NoncePolicy.IF_PRESENT: "an ID token without a nonce may be one of another sign-in, injected",
    NoncePolicy.NOT_SENT: "nothing ties the ID token to the sign-in but the code and PKCE",
}


def relaxations_of(connector: OIDCConnector) -> tuple[Relaxation, ...]:
    """Every relaxation of the ID token's checks in effect, with its reason."""
    configured = "configured"
    unchecked = connector.issuers is None and (connector.server is not None and not connector.server.issuer)
    return tuple(
        Relaxation(name=name, gives_up=gives_up, reason=reason)
        for name, gives_up, reason in (
            (
                "issuer_unchecked",
                "an ID token of any issuer whose key stands in the key set is believed",
                connector.issuer_unchecked_because if unchecked else "",
            ),
            (
                f"nonce_{connector.nonce_policy.value.replace('-', '_')}",
                _NONCE[connector.nonce_policy],
                (connector.nonce_policy_because or configured) if _NONCE[connector.nonce_policy] else "",
            ),
            (
                "leeway",
                f"an ID token counts for {connector.leeway:.0f} s after it expired",
                configured if connector.leeway > LEEWAY else "",
            ),
            (
                "clock_fixed",
                "an ID token that was good at the configured time is good for ever",
                configured if connector.verification_time is not None else "",
            ),
            (
                "symmetric_id_token",
                "whoever learns the client secret can make ID tokens",
                configured if connector.secret_key is not None else "",
            ),
        )
        if reason
    )
