"""Which origin a request was made to, and which one made it."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

DEFAULT_PORTS = {"http": 80, "https": 443}


def authority(base_url: str) -> tuple[str, int]:
    """Host name and port of an origin, the port also where it is the scheme's own."""
    parts = urlsplit(base_url)
    return (parts.hostname or "").rstrip("."), parts.port or DEFAULT_PORTS[parts.scheme]


def names(host_header: str, base_url: str) -> bool:
    """Tell whether a Host header means the origin ``base_url``. RFC 9110 §7.2."""
    if not host_header or any(c in host_header for c in "@/\\?# \t"):
        return False
    try:
        parts = urlsplit(f"//{host_header}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    wanted, wanted_port = authority(base_url)
    return (host, port or DEFAULT_PORTS[urlsplit(base_url).scheme]) == (wanted, wanted_port)


def origin_of(url: str) -> str:
    """Scheme and authority of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_same_origin(request: Request, base_url: str) -> bool:
    """Tell whether a page of this host made the request, by what only a browser can say.

    ``Sec-Fetch-Site: same-origin``, or an ``Origin`` equal to ``base_url``; a request that carries
    neither is not.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("origin") == origin_of(base_url)


def is_foreign(request: Request, base_url: str) -> bool:
    """Tell whether the browser says that another site made the request.

    An ``Origin: null`` says nothing: forms on pages with ``Referrer-Policy: no-referrer`` send it too.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    return site != "same-origin" or request.headers.get("origin", "null") not in ("null", origin_of(base_url))
