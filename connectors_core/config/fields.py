"""The kinds of values a configuration file holds. Each check says what is wrong, never the value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from ..endpoints import is_loopback, split_endpoint
from ..registry import IDENTIFIER

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.+)", re.DOTALL)
KEY_SOURCES = ("env", "file", "keyring", "aws-kms", "vault-transit")
"""Schemes of ``vault_keys`` that need no plugin."""

_KEY_SCHEME = re.compile(r"[a-z][a-z0-9-]*")
_LOGOS = (".svg", ".png", ".webp", ".jpg", ".jpeg")


def check_identifier(text: str) -> str:
    """Return an id that may stand in a URL as it is, or raise ValueError."""
    if not IDENTIFIER.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit")
    return text


def _seconds(value: Any) -> float:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        seconds = int(match[1]) * _UNITS[match[2]]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise ValueError('must be a duration such as "90s", "15m", "24h" or "30d"')
    if not 0 < seconds < float("inf"):
        raise ValueError("must be longer than nothing")
    return seconds


def _origin(url: str) -> str:
    parts = split_endpoint(url)
    if parts.path not in ("", "/") or "?" in url:
        raise ValueError("must be scheme and host only, without a path")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _redirect_uri(uri: str) -> str:
    """Absolute, without fragment (RFC 6749 §3.1.2); a private-use scheme holds a dot (RFC 8252 §7.1)."""
    match = _SCHEME.fullmatch(uri)
    if match is None:
        raise ValueError("must be an absolute URI")
    if match[1].lower() in ("http", "https"):
        split_endpoint(uri)
    elif "." not in match[1]:
        raise ValueError("must begin with https:// or a private-use scheme with a dot (com.example.app:)")
    elif any(ord(c) <= 32 or ord(c) == 127 or c in "\\#" for c in uri):
        raise ValueError("must not have a fragment, white space or a backslash")
    return uri


def _database(url: str) -> str:
    if not url.startswith(("sqlite://", "postgresql://")):
        raise ValueError("must begin with sqlite:// or postgresql://")
    return url


def _key_source(source: str) -> str:
    scheme, colon, rest = source.partition(":")
    if not colon or not _KEY_SCHEME.fullmatch(scheme) or not rest:
        raise ValueError(f"must begin with one of {key_sources(KEY_SOURCES)}")
    return source


def key_sources(schemes: Iterable[str]) -> str:
    return ", ".join(f"{scheme}:" for scheme in schemes)


def _domain(name: str) -> str:
    spelled = name.lower().rstrip(".")
    if len(spelled) > 253 or not _DOMAIN.fullmatch(spelled):
        raise ValueError("must be a domain name such as example.com")
    return spelled


def _address(text: str) -> str:
    try:
        return str(ip_network(text)) if "/" in text else str(ip_address(text))
    except ValueError:
        raise ValueError("must be an IP address or network such as 10.0.0.0/8") from None


def _private_host(text: str) -> str:
    try:
        return _address(text)
    except ValueError:
        pass
    try:
        return _domain(text)
    except ValueError:
        raise ValueError("must be a host name, an IP address or a network such as 10.0.0.0/8") from None


def _language(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError("must be a language tag such as en or pt-BR")
    return tag


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError('must be a table of languages: { en = "…" }')
    return value


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


_OF_THE_HOST = frozenset(
    {"sub", "name", "picture", "email", "email_verified", "phone_number", "phone_number_verified"}
)


def _claim(name: str) -> str:
    if not _SCOPE.fullmatch(name) or len(name) > 255:
        raise ValueError("must be the name of one claim, without white space")
    if name in _OF_THE_HOST:
        raise ValueError("is a claim of the account's own")
    return name


def _scope(scope: str) -> str:
    if not _SCOPE.fullmatch(scope):
        raise ValueError("must be one scope, without white space")
    return scope


def _logo(text: str) -> str:
    if "://" in text:
        if split_endpoint(text).scheme != "https":
            raise ValueError("must begin with https://")
    elif not text.lower().endswith(_LOGOS):
        raise ValueError(f"must be an https URL or an image file ({', '.join(_LOGOS)})")
    return text


Duration = Annotated[float, BeforeValidator(_seconds)]
"""Seconds; written as ``"24h"``."""

Identifier = Annotated[str, AfterValidator(check_identifier)]
GroupName = Annotated[str, AfterValidator(lambda text: text and check_identifier(text))]
Origin = Annotated[str, AfterValidator(_origin)]
RedirectUri = Annotated[str, AfterValidator(_redirect_uri)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
KeySource = Annotated[str, AfterValidator(_key_source)]
Domain = Annotated[str, AfterValidator(_domain)]
Network = Annotated[str, AfterValidator(_address)]
PrivateHost = Annotated[str, AfterValidator(_private_host)]
Scope = Annotated[str, AfterValidator(_scope)]
Claim = Annotated[str, AfterValidator(_claim)]
Logo = Annotated[str, AfterValidator(_logo)]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Position = Annotated[int, Field(strict=True)]
Texts = Annotated[
    dict[Annotated[str, AfterValidator(_language)], Annotated[str, AfterValidator(_text)]],
    BeforeValidator(_texts),
]
"""Text by language tag."""


def is_loopback_origin(origin: str) -> bool:
    """Tell whether an origin can only be reached from this machine."""
    return is_loopback(urlsplit(origin).hostname or "")
