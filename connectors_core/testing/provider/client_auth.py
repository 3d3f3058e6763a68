"""Which client speaks, and how it proved it. RFC 6749 §2.3, OpenID Connect Core §9, RFC 7523."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from .grants import ANY_METHOD, Client, Refused
from .keys import read_compact, verified

if TYPE_CHECKING:
    from .provider import Provider
    from .records import Recorded

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION = 600


def authenticate(provider: Provider, form: Mapping[str, str], recorded: Recorded) -> Client:
    """Return the client, or raise Refused with ``invalid_client``. Two methods at once are one too many."""
    try:
        client, method = _authenticate(provider, form, recorded.headers.get("authorization"))
    except Refused as refused:
        if refused.error != "invalid_client":
            recorded.client_authentication = "several"
        raise
    recorded.client_id, recorded.client_authentication = client.client_id, method
    if client.method not in (ANY_METHOD, method):
        raise Refused("invalid_client", f"{method} is not the method of this client", status=401)
    return client


def _authenticate(
    provider: Provider, form: Mapping[str, str], authorization: str | None
) -> tuple[Client, str]:
    given = [authorization is not None, "client_secret" in form, "client_assertion" in form]
    if sum(given) > 1:
        raise Refused("invalid_request", "more than one client authentication")
    if authorization is not None:
        return _basic(provider, authorization), "client_secret_basic"
    if "client_assertion" in form:
        return _assertion(provider, form)
    client = _known(provider, form.get("client_id", ""))
    if "client_secret" in form:
        if not client.has_secret(form["client_secret"]):
            raise Refused("invalid_client", "wrong secret", status=401)
        return client, "client_secret_post"
    if client.method == ANY_METHOD:
        raise Refused("invalid_client", "no client authentication", status=401)
    return client, "none"


def _known(provider: Provider, client_id: str) -> Client:
    client = provider.clients.get(client_id)
    if client is None:
        raise Refused("invalid_client", "unknown client", status=401)
    return client


def _basic(provider: Provider, authorization: str) -> Client:
    scheme, _, credentials = authorization.partition(" ")
    try:
        client_id, colon, secret = b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused("invalid_client", "not Basic credentials", status=401) from None
    if scheme.lower() != "basic" or not colon:
        raise Refused("invalid_client", "not Basic credentials", status=401)
    if provider.basic_encoded:
        client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    client = _known(provider, client_id)
    if not client.has_secret(secret):
        raise Refused("invalid_client", "wrong secret", status=401)
    return client


def _assertion(provider: Provider, form: Mapping[str, str]) -> tuple[Client, str]:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Refused("invalid_client", "wrong client_assertion_type", status=401)
    try:
        header, claims, signing_input, signature = read_compact(form["client_assertion"])
    except (ValueError, AttributeError):
        raise Refused("invalid_client", "the assertion is no JWT", status=401) from None
    client = _known(provider, str(claims.get("iss")))
    algorithm = str(header.get("alg"))
    if algorithm in ("HS256", "HS384", "HS512"):
        key, method = client.secret.encode(), "client_secret_jwt"
        good = verified(algorithm, key, signing_input, signature)
    else:
        method, own = "private_key_jwt", client.key
        good = (
            own is not None
            and own.algorithm == algorithm
            and verified(algorithm, own.private, signing_input, signature)
        )
    if not good:
        raise Refused("invalid_client", "the assertion's signature is wrong", status=401)
    issuer, endpoint = provider.issuer, provider.url("token")
    now = provider.clock()
    expected = issuer if client.assertion_audience == "issuer" else endpoint
    if claims.get("sub") != client.client_id or form.get("client_id", client.client_id) != client.client_id:
        raise Refused("invalid_client", "the assertion is about another client", status=401)
    if claims.get("aud") != expected:
        raise Refused("invalid_client", "the assertion is for another audience", status=401)
    exp, jti = claims.get("exp"), claims.get("jti")
    if not isinstance(exp, int | float) or not now < exp <= now + LONGEST_ASSERTION:
        raise Refused("invalid_client", "the assertion has expired or lives too long", status=401)
    if not isinstance(jti, str) or jti in provider.seen_assertions:
        raise Refused("invalid_client", "the assertion has no jti, or was used before", status=401)
    provider.seen_assertions.add(jti)
    return client, method
