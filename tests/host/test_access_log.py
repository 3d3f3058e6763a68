"""What is logged of a request."""

from __future__ import annotations

import pytest

from tests.host.conftest import Running

HANDLE = "one-time-handle-of-somebody"


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        (f"/sign-in?state={HANDLE}", "GET /sign-in "),
        (f"/continue/{HANDLE}", "GET /continue/ "),
        (f"/c%6Fntinue/{HANDLE}", "GET /continue/ "),
        ("/sign-%0ain", "GET /sign-%0ain "),
    ],
)
async def test_it_holds_neither_a_query_nor_a_handle(
    running: Running, caplog: pytest.LogCaptureFixture, path: str, logged: str
) -> None:
    with caplog.at_level("INFO", logger="connectors_host.access"):
        await running.browser().get(path)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "connectors_host.access"]
    assert line.startswith(logged)
    assert HANDLE not in caplog.text
