"""``/openapi.json`` is true: whatever is sent, the answer is one that the description promises.

schemathesis makes requests from the description, good ones and bad ones, and holds status, media type
and body of each answer against it. They go over a socket, in a thread beside the loop that serves.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import schemathesis
from connectors_host.server import address, listen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks

from tests.host.api.conftest import Open, Page
from tests.host.conftest import Running
from tests.serving import serving

CHECKS = [
    not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]
EXAMPLES = 8
"""Requests of each mode to each operation, under one of its spellings."""
APPLICATION = "Basic " + base64.b64encode(b"calendar:not-a-secret-of-anybody").decode()


class Callers:
    """Who may call: made anew when a request has ended their session."""

    def __init__(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        self._running, self._loop = running, loop
        self.renew()

    def renew(self) -> None:
        asyncio.run_coroutine_threadsafe(self._sign_in(), self._loop).result(30)

    async def _sign_in(self) -> None:
        page = await Page.signed_in(self._running)
        self.owner = (await page.look())["claims"]["sub"]
        (current, *_) = await self._running.host.sessions.of_owner(self.owner)
        self.session, self.token, cookies = current.handle, (await page.token()).token, page.browser.cookies
        self.headers: dict[str, dict[str, str]] = {
            "bearer": {"Authorization": f"Bearer {self.token}"},
            "session": {
                "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
                "Origin": self._running.base,
                "X-CSRF-Token": page.csrf,
            },
            "application": {"Authorization": APPLICATION},
            "nobody": {},
        }


@asynccontextmanager
async def served(start_api: Open, **options: Any) -> AsyncIterator[Running]:
    """The host on a loopback port, in this loop."""
    listener = listen("127.0.0.1", 0)
    running = await start_api(base=address(listener), **options)
    async with serving(running.app, listener, lifespan="off"):
        yield running


def hold(running: Running, callers: Callers, examples: int) -> dict[str, set[int]]:
    """Send requests to every operation; return the statuses that each gave."""
    document = schemathesis.openapi.from_url(f"{running.base}/openapi.json")
    given_by: dict[str, set[int]] = {}
    for found in document.get_all_operations():
        operation = found.ok()
        if "another spelling" in operation.definition.raw.get("description", "").lower():
            continue
        statuses = given_by.setdefault(operation.label, set())
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            with suppress(Unsatisfiable):  # nothing about this operation can be wrong
                _hold(operation, mode, callers, statuses, examples)
    return given_by


def _hold(operation: Any, mode: GenerationMode, callers: Callers, statuses: set[int], examples: int) -> None:
    people = {"application": []} not in operation.definition.raw["security"]
    may_call = ["bearer", "bearer", "session", "nobody"] if people else ["application", "nobody"]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.data())
    def requested(case: schemathesis.Case, data: st.DataObject) -> None:
        known = {"target": "acme", "owner": callers.owner, "id": callers.session}
        for name in case.path_parameters.keys() & known.keys():
            if data.draw(st.booleans()):
                case.path_parameters[name] = known[name]
        who = data.draw(st.sampled_from(may_call))
        response = case.call(headers=callers.headers[who])
        statuses.add(response.status_code)
        if response.status_code == 204 or (who != "nobody" and response.status_code == 401):
            callers.renew()
        case.validate_response(response, checks=CHECKS)

    requested()


async def hold_to_description(running: Running, *, examples: int = EXAMPLES) -> None:
    loop = asyncio.get_running_loop()
    callers = await asyncio.to_thread(Callers, running, loop)
    given_by = await asyncio.to_thread(hold, running, callers, examples)
    for operation, statuses in given_by.items():
        assert statuses - {401}, f"{operation} was never more than refused"
    for read in ("identities", "sessions", "export", "identities/{target}/access-token"):
        assert 200 in given_by[f"GET /my-account/{read}"], read


async def test_every_answer_is_described(start_api: Open) -> None:
    async with served(start_api) as running:
        await hold_to_description(running)


async def test_every_answer_is_described_on_postgresql(start_api: Open, postgresql: str) -> None:
    """The other database tells other faults: a NUL, a number out of range, a text that is no UTF-8."""
    async with served(start_api, database=postgresql) as running:
        await hold_to_description(running, examples=EXAMPLES // 2)
