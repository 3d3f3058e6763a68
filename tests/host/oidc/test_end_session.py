"""``/oidc/session/end``: out again, for whoever meant it."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.host.conftest import BASE, BOB, Browser, Running
from tests.host.oidc.conftest import App

pytestmark = pytest.mark.asyncio(loop_scope="session")

BYE = "https://shop.test/bye"
END = "/oidc/session/end"
CROSS: dict[str, str | None] = {"Sec-Fetch-Site": "cross-site"}


async def ended(browser: Browser) -> bool:
    return not (await browser.user())["isAuthenticated"]


async def onward(browser: Browser, answer: httpx.Response) -> str:
    """Through the provider's own logout to where the person ends up."""
    assert answer.status_code == 200, answer.text
    (leaving,) = set(re.findall(r"/sign-out/provider\?h=[\w%-]+", answer.text))
    there = (await browser.get(leaving)).headers["location"]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()}
    assert asked["post_logout_redirect_uri"] == f"{BASE}/signed-out"
    back = await browser.get("/signed-out", query={"state": asked["state"]} if "state" in asked else None)
    return str(back.headers.get("location", "/signed-out"))


async def test_an_id_token_of_the_session_ends_it_at_once(shop: App, alice: Browser) -> None:
    hint = (await shop.tokens(alice))["id_token"]
    query = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "a state & more"}
    answer = await alice.get(END, query=query, headers=CROSS)
    assert await ended(alice)
    assert await onward(alice, answer) == f"{BYE}?{urlencode({'state': 'a state & more'})}"


async def test_an_expired_id_token_is_as_good(shop: App, served: Running, alice: Browser) -> None:
    hint = (await shop.tokens(alice))["id_token"]
    served.clock.now += 7200
    await alice.get(END, query={"id_token_hint": hint}, headers=CROSS)
    assert await ended(alice)


async def test_without_one_the_person_is_asked(shop: App, alice: Browser) -> None:
    query = {"client_id": "shop", "post_logout_redirect_uri": BYE}
    question = await alice.get(END, query=query, headers=CROSS)
    assert "Sign out?" in question.text
    assert f'href="{BYE}"' in question.text
    assert not await ended(alice)
    handle = question.text.split('name="handle" value="')[1].split('"')[0]
    answer = await alice.form(f"{END}/confirm", handle=handle)
    assert await ended(alice)
    assert await onward(alice, answer) == BYE


async def test_without_anything_the_person_is_asked_too(alice: Browser) -> None:
    question = await alice.get(END, headers=CROSS)
    assert "Sign out?" in question.text
    assert not await ended(alice)


async def test_a_post_comes_by_way_of_a_get(shop: App, alice: Browser) -> None:
    hint = (await shop.tokens(alice))["id_token"]
    form = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    kept = await alice.post(END, form=form, headers=CROSS, cookies=False)
    assert kept.status_code == 303
    assert hint not in kept.headers["location"]
    answer = await alice.get(kept.headers["location"], headers=CROSS)
    assert await ended(alice)
    assert await onward(alice, answer) == BYE
    assert (await alice.get(kept.headers["location"])).status_code == 400


async def test_who_is_not_signed_in_goes_on_at_once(shop: App, served: Running) -> None:
    browser = served.browser()
    answer = await browser.get(END, query={"client_id": "shop", "post_logout_redirect_uri": BYE})
    assert answer.headers["location"] == BYE
    assert (await browser.get(END)).headers["location"] == "/signed-out"


class TestAHintOf:
    async def test_another_person(self, shop: App, served: Running, alice: Browser) -> None:
        hint = (await shop.tokens(alice))["id_token"]
        other = served.browser()
        served.at_the_provider_sits(BOB)
        await other.sign_in()
        question = await other.get(END, query={"id_token_hint": hint}, headers=CROSS)
        assert "Sign out?" in question.text
        assert "Bob Example" in question.text
        assert not await ended(other)

    async def test_another_session(self, shop: App, served: Running, alice: Browser) -> None:
        hint = (await shop.tokens(alice))["id_token"]
        await alice.sign_in()
        question = await alice.get(END, query={"id_token_hint": hint}, headers=CROSS)
        assert "Sign out?" in question.text
        assert not await ended(alice)

    async def test_something_fetched_ahead(self, shop: App, alice: Browser) -> None:
        hint = (await shop.tokens(alice))["id_token"]
        ahead = {**CROSS, "Sec-Purpose": "prefetch"}
        await alice.get(END, query={"id_token_hint": hint}, headers=ahead)
        assert not await ended(alice)


class TestRefused:
    @pytest.mark.parametrize(
        "query",
        [
            {"post_logout_redirect_uri": BYE},
            {"client_id": "nobody"},
            {"client_id": "nobody", "post_logout_redirect_uri": BYE},
            {"client_id": "rival", "post_logout_redirect_uri": BYE},
            {"client_id": "shop", "post_logout_redirect_uri": BYE + "/"},
            {"client_id": "shop", "post_logout_redirect_uri": "https://evil.test/"},
            {"client_id": "shop", "id_token_hint": "e30.e30.e30"},
            {"client_id": "shop", "id_token_hint": "x"},
            {"h": "x"},
        ],
        ids=repr,
    )
    async def test_nothing_ends_and_nobody_is_sent_on(self, alice: Browser, query: dict[str, str]) -> None:
        answer = await alice.get(END, query=query, headers=CROSS)
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert not await ended(alice)

    async def test_a_post_is_judged_before_anything_is_kept(self, alice: Browser) -> None:
        for form in (
            {"client_id": "shop", "post_logout_redirect_uri": "https://evil.test/"},
            {"client_id": "shop", "post_logout_redirect_uri": BYE, "state": "x" * 2049},
            {"id_token_hint": "x" * 20_000},
        ):
            answer = await alice.post(END, form=form, headers=CROSS, cookies=False)
            assert (answer.status_code, "location" in answer.headers) == (400, False)

    async def test_a_hint_of_another_application(self, shop: App, alice: Browser) -> None:
        hint = (await shop.tokens(alice))["id_token"]
        answer = await alice.get(END, query={"id_token_hint": hint, "client_id": "rival"}, headers=CROSS)
        assert answer.status_code == 400
        assert not await ended(alice)

    async def test_an_access_token_is_no_hint(self, shop: App, alice: Browser) -> None:
        hint = (await shop.tokens(alice))["access_token"]
        assert (await alice.get(END, query={"id_token_hint": hint})).status_code == 400

    async def test_what_is_given_twice(self, alice: Browser) -> None:
        assert (await alice.get(END, query="client_id=shop&client_id=shop")).status_code == 400

    async def test_an_answer_that_another_site_gives(self, alice: Browser) -> None:
        question = await alice.get(END, query={"client_id": "shop"}, headers=CROSS)
        handle = question.text.split('name="handle" value="')[1].split('"')[0]
        for form, headers in (
            ({"handle": handle, "csrf_token": "x"}, {}),
            ({"handle": handle, "csrf_token": (await alice.user())["csrfToken"]}, CROSS),
        ):
            answer = await alice.post(f"{END}/confirm", form=form, headers=headers)
            assert answer.status_code == 403
        assert not await ended(alice)

    async def test_an_answer_that_comes_too_late(self, alice: Browser) -> None:
        question = await alice.get(END, query={"client_id": "shop"}, headers=CROSS)
        handle = question.text.split('name="handle" value="')[1].split('"')[0]
        await alice.post("/sign-out")
        answer = await alice.post(f"{END}/confirm", form={"handle": handle, "csrf_token": "x"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/signed-out")

    async def test_an_answer_of_another_session(self, alice: Browser) -> None:
        question = await alice.get(END, query={"client_id": "shop"}, headers=CROSS)
        handle = question.text.split('name="handle" value="')[1].split('"')[0]
        await alice.sign_in()
        assert (await alice.form(f"{END}/confirm", handle=handle)).status_code == 400
        assert not await ended(alice)
