"""The calendar assistant, where something goes wrong before anybody signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from connectors_demo.calendar import Settings, create_app

URL = "http://127.0.0.1:1"


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(url=URL, host="http://127.0.0.1:2", client_id="calendar", client_secret="fake")
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=URL) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "heading"),
    [
        ("GET", "/nowhere", 404, "There is nothing here"),
        ("GET", "/static/nothing.css", 404, "There is nothing here"),
        ("GET", "/plan", 405, "This cannot be done here"),
    ],
)
async def test_what_is_not_there_is_a_page_with_a_way_back(
    browser: httpx.AsyncClient, method: str, path: str, status: int, heading: str
) -> None:
    answer = await browser.request(method, path)
    assert (answer.status_code, f"<h1>{heading}</h1>" in answer.text) == (status, True)
    assert 'href="/static/calendar.css"' in answer.text
    assert '<a class="button" href="/">' in answer.text
    assert answer.headers.get("allow") == ("POST" if status == 405 else None)


async def test_a_form_of_another_origin_is_refused_with_a_page(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/plan", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, "This was not accepted" in answer.text) == (403, True)


@pytest.mark.parametrize("query", ["", "?state=fake&code=fake", "?state=fake&error=access_denied"])
async def test_a_callback_that_answers_nothing_leads_back_to_the_start(
    browser: httpx.AsyncClient, query: str
) -> None:
    answer = await browser.get(f"/callback{query}")
    assert answer.status_code == 400
    assert "This sign-in cannot go on: it took too long" in answer.text
    assert '<a class="button" href="/sign-in">' in answer.text


async def test_a_host_that_is_down_is_said_to_be(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/sign-in")
    assert (answer.status_code, "That did not work: 127.0.0.1" in answer.text) == (502, True)
