"""How the client has to prove itself. RFC 6749 §2.3; OpenID Connect Core §9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..grants import Refused
from .case import Case, Edit, case, having

if TYPE_CHECKING:
    from ..provider import Provider

_METHODS = "token_endpoint_auth_methods_supported"


def _without_secret_in_the_body(form: dict[str, str], provider: Provider) -> dict[str, str]:
    if "client_secret" in form:
        raise Refused("invalid_client", "by HTTP Basic alone", status=401)
    return form


def _with_secret_in_the_body(form: dict[str, str], provider: Provider) -> dict[str, str]:
    if "client_secret" not in form:
        raise Refused("invalid_client", "in the body alone", status=401)
    return form


def _announced(*methods: str) -> Edit:
    return having(**{_METHODS: list(methods)})


TABLE: tuple[Case, ...] = (
    case(
        "client.basic-alone",
        "RFC 6749 §2.3.1",
        "HTTP Basic is the only method",
        None,
        metadata=_announced("client_secret_basic"),
        form=_without_secret_in_the_body,
    ),
    case(
        "client.post-alone",
        "RFC 6749 §2.3.1",
        "the secret in the body is the only method",
        None,
        metadata=_announced("client_secret_post"),
        form=_with_secret_in_the_body,
    ),
    case(
        "client.post-beside-others",
        "RFC 8414 §2",
        "methods nobody knows stand beside the one that is known",
        None,
        metadata=_announced("attest_jwt_client_auth", "client_secret_post", "self_signed_tls_client_auth"),
        form=_with_secret_in_the_body,
    ),
    case(
        "client.no-common-method",
        "RFC 8414 §2",
        "no method that a client with a secret has",
        "connector_misconfigured",
        metadata=_announced("tls_client_auth"),
    ),
)
