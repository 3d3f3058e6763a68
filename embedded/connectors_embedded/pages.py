"""The three pages, as text: which connector, whether to sign out, what went wrong. No script, no file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from urllib.parse import quote, urlencode

from connectors_core import ConnectorEntry
from connectors_core.hub import Logo

from .refusals import Failure

STYLE = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:24rem;margin:15vh auto;"
    "padding:0 1rem}h1{font-size:1.5rem}a.button,button{display:flex;gap:.75rem;align-items:center;"
    "box-sizing:border-box;width:100%;margin:.75rem 0;padding:.75rem 1rem;border:1px solid GrayText;"
    "border-radius:.5rem;font:inherit;color:inherit;background:none;text-decoration:none;cursor:pointer}"
    "img{display:block}"
)
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# form-action is left out: browsers hold it against the redirect to the provider's own sign-out.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; base-uri 'none'; "
    "frame-ancestors 'none'"
)
MAX_LOGO = 16 * 1024
"""Bytes of the largest logo that a page carries."""


def sign_in_page(entries: Sequence[ConnectorEntry], path: str, return_to: str | None) -> str:
    carried = "?" + urlencode({"return_to": return_to}) if return_to and return_to != "/" else ""
    return _page("Sign in", "".join(
        link(f"Continue with {name_of(entry)}", f"{path}/{quote(entry.id, safe='')}{carried}", _logo(entry))
        for entry in entries
    ))  # fmt: skip


def sign_out_page(path: str, name: str) -> str:
    form = f'<form method="post" action="{escape(path)}"><button>Sign out</button></form>'
    return _page("Sign out?", f"<p>You are signed in as {escape(name)}.</p>{form}")


def error_page(failed: Failure, onward: str) -> str:
    says = f"<p>The provider says: {escape(failed.provider_says)}</p>" if failed.provider_says else ""
    return _page(failed.title, f"{says}<p><code>{escape(failed.code)}</code></p>{onward}")


def link(text: str, href: str, before: str = "") -> str:
    """A link that looks like a button; ``before`` is markup."""
    return f'<a class="button" href="{escape(href)}">{before}{escape(text)}</a>'


def name_of(entry: ConnectorEntry) -> str:
    return entry.name.get("en") or next(iter(entry.name.values()), entry.id)


def _logo(entry: ConnectorEntry) -> str:
    light, dark = (_data(entry.logo(dark=wanted)) for wanted in (False, True))
    if not light:
        return ""
    source = ""
    if dark not in ("", light):
        source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    return f'<picture>{source}<img alt="" width="24" height="24" src="{light}"></picture>'


def _data(logo: Logo | str | None) -> str:
    if not isinstance(logo, Logo) or len(logo.content) > MAX_LOGO:
        return ""
    return f"data:{logo.media_type};base64,{base64.b64encode(logo.content).decode()}"


def _page(heading: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(heading)}</title><style>{STYLE}</style><main><h1>{escape(heading)}</h1>"
        f"{content}</main></html>"
    )
