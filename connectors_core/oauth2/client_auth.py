"""How a client proves to the token endpoint who it is. RFC 6749 §2.3, RFC 7523 §2.2."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ..errors import ConfigurationError, ConnectorMisconfigured, Problem, Step
from ..metadata import ServerMetadata
from .json_body import read_json

ASSERTION_LIFETIME = 60
"""Seconds a client assertion is good for."""

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
_KEY_ALGORITHMS: dict[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA", "Ed25519"),
    "Ed448": ("EdDSA",),
}
_WITH_SECRET = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
METHODS = (*_WITH_SECRET, "private_key_jwt", "none")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The client's own private key, for ``private_key_jwt``. Its repr shows no key."""

    key: RSAKey | ECKey | OKPKey = field(repr=False)
    algorithm: str
    kid: str | None = None


def read_signing_key(
    text: str, *, algorithm: str | None = None, kid: str | None = None, path: tuple[str, ...] = ()
) -> SigningKey:
    """Read a private key in PEM or JWK form.

    ``algorithm`` and ``kid`` default to what the JWK says, then to the first algorithm the key is
    fit for. Raises ConfigurationError, without the text, for anything but a private RSA, EC or OKP
    key that can make such signatures.
    """
    try:
        if text.lstrip().startswith("{"):
            key = JWKRegistry.import_key(_json_object(text))
        else:
            key = _read_pem(text.strip())
        private = key.is_private
        fit = _KEY_ALGORITHMS.get(str(key.get("crv") or key.key_type), ()) if private else ()
        stated = algorithm or key.get("alg")
        known = kid or key.get("kid")
    except Exception:
        # joserfc and cryptography raise ValueError, TypeError, binascii.Error and their own.
        raise ConfigurationError([Problem(path, "is not a private key in PEM or JWK form")]) from None
    if isinstance(key, OctKey) or not fit:
        raise ConfigurationError([Problem(path, "is not a private RSA, EC or OKP key")])
    chosen = stated or fit[0]
    if chosen not in fit:
        raise ConfigurationError(
            [Problem(path, "does not fit the signing algorithm", f"this key makes {', '.join(fit)}")]
        )
    return SigningKey(key, str(chosen), None if known is None else str(known))


def _json_object(text: str) -> dict[str, Any]:
    value = read_json(text.encode())
    if not isinstance(value, dict):
        raise ValueError
    return value


def _read_pem(text: str) -> RSAKey | ECKey | OKPKey:
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return kind.import_key(text)
        except (JoseError, ValueError, TypeError):
            continue
    raise ValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuthentication:
    """One client and its way of proving itself. Its repr shows no secret.

    ``encode_basic`` form-encodes id and secret before they are joined, as RFC 6749 §2.3.1 says;
    False is for servers that never decode them. ``signing_key`` is for ``private_key_jwt``,
    ``secret_algorithm`` for ``client_secret_jwt``. ``audience`` is the only ``aud`` of an assertion:
    the issuer where it is known. Raises ConfigurationError for an unknown method, and for a method
    whose secret or key is missing.
    """

    method: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    encode_basic: bool = True
    signing_key: SigningKey | None = None
    secret_algorithm: str = "HS256"
    audience: str | None = None

    def __post_init__(self) -> None:
        problem = None
        if self.method not in METHODS:
            problem = Problem(
                ("tokenEndpointAuthMethod",), "is not a known method", f"one of {', '.join(METHODS)}"
            )
        elif self.method in _WITH_SECRET and not self.client_secret:
            problem = Problem(("clientSecret",), f"is required by {self.method}")
        elif self.method == "private_key_jwt" and self.signing_key is None:
            problem = Problem(("tokenEndpointAuthMethod",), "private_key_jwt needs a signing key")
        elif self.method == "client_secret_jwt" and self.secret_algorithm not in SECRET_ALGORITHMS:
            problem = Problem(
                ("clientSecretJwtSigningAlgorithm",),
                "is not a known algorithm",
                f"one of {', '.join(SECRET_ALGORITHMS)}",
            )
        if problem is not None:
            raise ConfigurationError([problem])

    def authenticate(
        self, url: str, headers: dict[str, str], body: str, *, now: float
    ) -> tuple[dict[str, str], str]:
        """Return ``headers`` and form ``body`` of a POST to ``url`` with the client's proof added.

        ``now`` is in seconds since the epoch. An assertion lives 60 seconds and is used once.
        Raises ConfigurationError where id, secret or key cannot make a proof.
        """
        try:
            if self.method in ("client_secret_jwt", "private_key_jwt"):
                proof = {
                    "client_id": self.client_id,
                    "client_assertion_type": ASSERTION_TYPE,
                    "client_assertion": self._assertion(self.audience or url, now),
                }
                return dict(headers), "&".join(filter(None, (body, urlencode(proof))))
            client_id, client_secret = self.client_id, self.client_secret or ""
            if self.method == "client_secret_basic" and self.encode_basic:
                # Authlib joins id and secret as they are.
                client_id, client_secret = quote_plus(client_id), quote_plus(client_secret)
            client = ClientAuth(client_id, client_secret, self.method)
            _, signed, form = client.prepare("POST", url, dict(headers), body)
        except (JoseError, ValueError, TypeError):
            raise ConfigurationError(
                [Problem(("clientId",), f"client id, secret or key cannot be used with {self.method}")]
            ) from None
        return signed, form

    def _assertion(self, audience: str, now: float) -> str:
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(24),
            "iat": int(now),
            "exp": int(now) + ASSERTION_LIFETIME,
        }
        key: OctKey | RSAKey | ECKey | OKPKey
        if self.method == "private_key_jwt" and self.signing_key is not None:
            key, algorithm, kid = self.signing_key.key, self.signing_key.algorithm, self.signing_key.kid
        else:
            # Not import_key: it warns of a short secret, which is the server's to choose.
            secret = (self.client_secret or "").encode()
            key, algorithm, kid = OctKey(secret, secret), self.secret_algorithm, None
        return _signed(claims, key, algorithm, kid)


def sign_jwt(claims: Mapping[str, Any], key: SigningKey) -> str:
    """Return ``claims`` as a JWT signed with ``key``, for client secrets and assertions of a server's own.

    Raises ConfigurationError where the key cannot sign. RFC 7519 §7.1.
    """
    try:
        return _signed(claims, key.key, key.algorithm, key.kid)
    except (JoseError, ValueError, TypeError):
        raise ConfigurationError([Problem((), "the signing key cannot be used")]) from None


def _signed(
    claims: Mapping[str, Any], key: OctKey | RSAKey | ECKey | OKPKey, algorithm: str, kid: str | None
) -> str:
    header = {"typ": "JWT", "alg": algorithm, **({} if kid is None else {"kid": kid})}
    signing_input = b".".join(_base64url(json.dumps(part).encode()) for part in (header, dict(claims)))
    signature = JWSRegistry.algorithms[algorithm].sign(signing_input, key)
    return b".".join((signing_input, _base64url(signature))).decode("ascii")


def _base64url(octets: bytes) -> bytes:
    return urlsafe_b64encode(octets).rstrip(b"=")


def choose_auth_method(
    server: ServerMetadata, *, explicit: str | None, has_secret: bool, has_signing_key: bool = False
) -> str:
    """Return the method to authenticate with.

    ``explicit`` wins, whatever the server lists: documents of real servers are wrong about this.
    Without secret and key the client is public. Otherwise the server's metadata decides, basic before
    post; silence of a discovered server means ``client_secret_basic`` (RFC 8414 §2), of one whose
    endpoints were typed in ``client_secret_post``. Raises ConnectorMisconfigured when the server
    lists only what this client cannot do.
    """
    if explicit is not None:
        return explicit
    possible = (("private_key_jwt",) if has_signing_key else ()) + (_WITH_SECRET if has_secret else ())
    if not possible:
        return "none"
    supported = server.token_endpoint_auth_methods_supported
    if supported is None:
        silent = "client_secret_basic" if server.discovered else "client_secret_post"
        return silent if has_secret else "private_key_jwt"
    for method in possible:
        if method in supported:
            return method
    raise ConnectorMisconfigured(
        f"the server takes none of {', '.join(possible)}", step=Step.CLIENT_AUTHENTICATION
    )
