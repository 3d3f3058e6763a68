"""One Tap: a stand-in for Google's script, and the prompt that it shows in a frame."""

from __future__ import annotations

from connectors_core.testing.provider import Provider, Request, Response

from .pages import Pages, asset


class OneTap:
    def __init__(self, provider: Provider, pages: Pages) -> None:
        self._provider, self._pages = provider, pages

    def handle(self, request: Request) -> Response:
        match request.path:
            case "/gsi/client":
                return asset("one_tap.js")
            case "/gsi/prompt":
                return self._prompt(dict(request.query_pairs()))
            case _:
                return Response(status=404)

    def _prompt(self, asked: dict[str, str]) -> Response:
        """The first person here, with an ID token for that client. Google shows who is signed in in the
        browser, and makes the token on the click."""
        client = self._provider.clients.get(asked.get("client_id", ""))
        if client is None or not any(
            uri.startswith(f"{asked.get('origin')}/") for uri in client.redirect_uris
        ):
            return Response(status=400)
        sub, person = next(iter(self._provider.people.items()))
        credential = self._provider.credential(client.client_id, nonce=asked.get("nonce"), sub=sub)
        return self._pages.prompt(person, credential, origin=asked["origin"])
