"""The few pages a person sees at the provider. No script but the one that posts a form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape, unescape
from typing import TYPE_CHECKING

from .messages import Response

if TYPE_CHECKING:
    from .grants import Client, Person
    from .provider import Provider

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 26rem; margin: 10vh auto; padding: 0 1rem }
fieldset { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem;
  margin: 0 0 1rem; padding: .75rem 1rem }
label { display: block; padding: .25rem 0 }
button { font: inherit; padding: .6rem 1.2rem; border-radius: .5rem; border: 1px solid currentColor;
  background: none; color: inherit; cursor: pointer }
button.go { background: #1f5eff; border-color: #1f5eff; color: #fff }
"""


def _page(title: str, body: str, *, attributes: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<body{attributes}><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def _hidden(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in pairs
    )


def error_page(reason: str) -> Response:
    """An error that must not travel to an address nobody vouched for. RFC 6749 §4.1.2.1."""
    return Response.html(_page("Sign-in is not possible", f"<p>{escape(reason)}</p>"), status=400)


def consent_page(
    provider: Provider,
    client: Client,
    parameters: dict[str, str],
    scopes: Sequence[str],
    signed_in: Person | None,
    hint: str,
) -> Response:
    """Who are you, and what may the client have: single scopes can be unticked."""
    if signed_in is None:
        choices = "".join(
            f'<label><input type="radio" name="person" value="{escape(sub)}"'
            f"{' checked' if sub == hint or (not hint and index == 0) else ''}> "
            f"{escape(str(person.claims.get('name', sub)))}</label>"
            for index, (sub, person) in enumerate(provider.people.items())
        )
        who = f"<fieldset><legend>Who are you?</legend>{choices}</fieldset>"
    else:
        who = f"<p>Signed in as {escape(str(signed_in.claims.get('name', signed_in.sub)))}.</p>"
    boxes = "".join(
        f'<label><input type="checkbox" name="granted" value="{escape(scope)}" checked> '
        f"{escape(scope)}</label>"
        for scope in scopes
        if scope not in provider.always_granted
    )
    what = f"<fieldset><legend>What may {escape(client.client_id)} have?</legend>{boxes}</fieldset>"
    buttons = (
        '<button class="go" name="decision" value="allow">Allow</button> '
        '<button name="decision" value="deny">Cancel</button>'
    )
    action = escape(provider.url("authorize"))
    form = f'<form method="post" action="{action}">{_hidden(parameters.items())}{who}{what}{buttons}</form>'
    return Response.html(_page("Sign in", form))


def form_post_page(redirect_uri: str, pairs: Iterable[tuple[str, str]]) -> Response:
    """OAuth 2.0 Form Post Response Mode §2."""
    form = (
        f'<form method="post" action="{escape(redirect_uri)}">{_hidden(pairs)}'
        "<noscript><button>Continue</button></noscript></form>"
    )
    return Response.html(_page("Continue", form, attributes=' onload="document.forms[0].submit()"'))


def read_form_post(html: str) -> tuple[str, list[tuple[str, str]]] | None:
    """Address and fields of a page that posts itself, None for any other page."""
    action = re.search(r'<form method="post" action="([^"]*)">', html)
    if action is None or "document.forms[0].submit()" not in html:
        return None
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', html)
    return unescape(action[1]), [(unescape(name), unescape(value)) for name, value in fields]
