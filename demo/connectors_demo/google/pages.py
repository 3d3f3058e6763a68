"""What a person sees at the emulated Google."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from connectors_host.pages import templates_of

from connectors_core.testing.provider import Person, Provider, Response
from connectors_core.testing.provider.grants import Grant

from .apis import SCOPES
from .people import Account

STATIC = Path(__file__).parent / "static"
WORDS = {
    "calendar": "See, change and delete your calendars",
    "calendar.readonly": "See and download your calendars",
    "calendar.events": "See and change the events of your calendars",
    "calendar.events.readonly": "See the events of your calendars",
    "gmail.readonly": "See your e-mail messages and settings",
    "gmail.modify": "Read, write and send your e-mail",
    "gmail.metadata": "See the headers of your e-mail",
    "drive": "See, change and delete your Drive files",
    "drive.file": "See and change the Drive files that you use with this application",
    "drive.readonly": "See and download your Drive files",
    "drive.metadata": "See and manage the metadata of your Drive files",
    "drive.metadata.readonly": "See information about your Drive files",
}
COLOURS = ("#0b57d0", "#146c2e", "#8c1d6c")

Pairs = Sequence[tuple[str, str]]


class Pages:
    def __init__(self, provider: Provider, *, application: str) -> None:
        self._provider = provider
        self._templates = templates_of(__package__)
        self._templates.globals |= {"application": application, "action": provider.url("authorize")}

    def choose(self, asked: Pairs) -> Response:
        """Which account?"""
        return self._page("choose.html", asked=asked, people=self._provider.people.values())

    def consent(self, asked: Pairs, person: Person) -> Response:
        """What may the application have? A box for each scope that goes beyond sign-in and is new."""
        parameters = dict(asked)
        scopes = self._provider.scopes_of(parameters["scope"])
        mine = Grant(client_id=parameters["client_id"], person=person, scopes=(), redirect_uri="")
        held = {scope for grant in self._provider.ledger.grants_like(mine) for scope in grant.scopes}
        beyond = [scope for scope in dict.fromkeys(scopes) if scope not in self._provider.always_granted]
        return self._page(
            "consent.html",
            asked=asked,
            person=person,
            other=urlencode([pair for pair in asked if pair[0] != "prompt"] + [("prompt", "select_account")]),
            boxes={scope: in_words(scope) for scope in beyond if scope not in held},
            had={scope: in_words(scope) for scope in beyond if scope in held},
        )

    def prompt(self, person: Person, credential: str, *, origin: str) -> Response:
        """One Tap: a click hands ``credential`` to ``origin``."""
        return self._page("prompt.html", person=person, credential=credential, origin=origin)

    def _page(self, template: str, **context: Any) -> Response:
        return Response.html(self._templates.get_template(template).render(**context))


def in_words(scope: str) -> str:
    return WORDS.get(scope.removeprefix(SCOPES), scope)


def asset(name: str) -> Response:
    """A file of ``static``."""
    media = {"google.css": "text/css", "one_tap.js": "text/javascript", "prompt.js": "text/javascript"}
    if name not in media:
        return Response(status=404)
    return Response(headers={"content-type": media[name]}, body=(STATIC / name).read_bytes())


def avatar(accounts: Mapping[str, Account], name: str) -> Response:
    """Somebody's picture: a letter on a colour."""
    sub = name.removesuffix(".svg")
    if sub not in accounts:
        return Response(status=404)
    colour = COLOURS[list(accounts).index(sub) % len(COLOURS)]
    letter = accounts[sub].person.claims["name"][:1]
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96">'
        f'<rect width="96" height="96" fill="{colour}"/><text x="48" y="64" font-family="sans-serif"'
        f' font-size="46" fill="#fff" text-anchor="middle">{letter}</text></svg>'
    )
    return Response(headers={"content-type": "image/svg+xml"}, body=picture.encode())
