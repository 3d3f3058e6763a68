"""The applications of ``docs/embedding.md`` sign people in, as they stand there."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from connectors_embedded.django import SignIn as DjangoSignIn

from tests.docs.conftest import World
from tests.docs.test_snippets import ROOT, run

BASE = "https://my-app.example.org"
CALLBACKS = tuple(f"{BASE}{path}" for path in ("/auth/sign-in-callback", "/callback"))
BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def names(world: World) -> Any:
    world.provider.register("my-app", secret="my-secret", redirect_uris=CALLBACKS)
    return run(ROOT / "docs" / "embedding.md")


def signed_in(world: World, person: httpx.Client, path: str) -> httpx.Response:
    """Follow the way to the provider and back; return the page at its end."""
    answer = person.get(path)
    while answer.is_redirect:
        location = answer.headers["location"]
        if urlsplit(location).netloc == "id.example.org":
            landing = asyncio.run(world.provider.visit(location))
            location = f"{landing.uri}?{landing.query}"
        answer = person.get(location)
    return answer


def test_flask(world: World, names: Any) -> None:
    transport = httpx.WSGITransport(app=names["app"])
    with httpx.Client(transport=transport, base_url=BASE, headers=BROWSER) as person:
        assert person.get("/").text == "Hello stranger"
        page = signed_in(world, person, "/members")
        assert page.text.startswith("Hello Alice Example, your id is user_")
    names["sign_in"].close()


def test_the_client(world: World, names: Any) -> None:
    transport = httpx.WSGITransport(app=names["bookstore"])
    with httpx.Client(transport=transport, base_url=BASE, headers=BROWSER) as person:
        assert "Not authenticated" in person.get("/").text
        assert "Authenticated as Alice Example" in signed_in(world, person, "/sign-in").text
        person.get("/sign-out")
        assert "Not authenticated" in person.get("/").text
    names["client"].close()


async def test_fastapi(world: World, names: Any) -> None:
    api = names["api"]
    transport = httpx.ASGITransport(app=api)
    async with (
        api.router.lifespan_context(api),
        httpx.AsyncClient(transport=transport, base_url=BASE, headers=BROWSER) as person,
    ):
        assert (await person.get("/greeting")).json() == "Hello stranger"
        assert (await person.get("/me", headers={"Accept": "*/*"})).status_code == 401
        to_provider = await person.get((await person.get("/me")).headers["location"])
        landing = await world.provider.visit(to_provider.headers["location"])
        assert (await person.get(f"{landing.uri}?{landing.query}")).headers["location"] == "/me"
        assert (await person.get("/me")).json()["name"] == "Alice Example"


def test_django(names: Any) -> None:
    sign_in = DjangoSignIn(**names["CONNECTORS"])
    assert next(path for _, path in sign_in.service.paths()) == "/auth/sign-in"
    assert names["MIDDLEWARE"] == ["connectors_embedded.django.UserMiddleware"]
    routes, members = names["urlpatterns"]
    assert routes.resolve("auth/user").url_name == "user"
    assert members.callback is names["welcome"]
