"""Which URLs may be endpoints and issuers."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator


def is_loopback(host: str) -> bool:
    """Tell whether a host name or literal address can only mean this machine. RFC 6761 §6.3."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def split_endpoint(url: str) -> SplitResult:
    """Return the parts of an endpoint URL, or raise ValueError saying what is wrong, without the URL.

    https only, http on loopback; a host; no user name, password or fragment; no white space or
    control characters. RFC 6749 §3.1, §3.2.
    """
    if not url or any(ord(c) <= 32 or ord(c) == 127 or c == "\\" for c in url):
        raise ValueError("is not a URL")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in ("https", "http"):
        raise ValueError("must begin with https://")
    if not host:
        raise ValueError("has no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if "#" in url:
        raise ValueError("must not have a fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("must begin with https:// (http is for loopback only)")
    return parts


def check_endpoint(url: str) -> str:
    """Return ``url`` unchanged if it may be an endpoint, else raise ValueError."""
    split_endpoint(url)
    return url


def check_issuer(url: str) -> str:
    """Return ``url`` unchanged if it may be an issuer identifier, else raise ValueError. RFC 8414 §2."""
    parts = split_endpoint(url)
    if parts.query or "?" in url:
        raise ValueError("an issuer has no query")
    return url


EndpointUrl = Annotated[str, AfterValidator(check_endpoint)]
IssuerUrl = Annotated[str, AfterValidator(check_issuer)]
