"""Which checks an OAuth 2.0 connector's declarations turn off or weaken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connector import Relaxation

if TYPE_CHECKING:
    from .connector import OAuth2Connector


def relaxations_of(connector: OAuth2Connector) -> tuple[Relaxation, ...]:
    """Every relaxation in effect, with what it gives up and the reason that was written for it."""
    declared = "declared for this server"
    mapped = connector.profile_map
    return tuple(
        Relaxation(name=name, gives_up=gives_up, reason=reason)
        for name, gives_up, reason in (
            (
                "pkce_off",
                "a stolen authorization code can be redeemed in another session (RFC 7636)",
                connector.pkce_off_because,
            ),
            (
                "basic_credentials_unencoded",
                "a client id or secret with special characters may be misread (RFC 6749 §2.3.1)",
                "" if connector.encode_basic_credentials else declared,
            ),
            (
                "assertion_audience_token_endpoint",
                "a client assertion is good for whoever shares or claims that URL (RFC 7523 §3)",
                declared if connector.client_assertion_audience == "token_endpoint" else "",
            ),
            (
                "token_type_aliases",
                "an access token of a type that is not registered is used as a bearer token",
                declared if connector.bearer_aliases else "",
            ),
            (
                "string_booleans",
                "the text true counts as the provider's word that an address is verified",
                declared if mapped.string_booleans else "",
            ),
            (
                "unstated_email_trusted",
                "an e-mail address counts as verified when the provider does not say",
                mapped.trust_email_because,
            ),
            (
                "unstated_phone_trusted",
                "a phone number counts as verified when the provider does not say",
                mapped.trust_phone_because,
            ),
        )
        if reason
    )
