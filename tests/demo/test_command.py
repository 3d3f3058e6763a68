"""``connectors demo``, as a shell runs it, and with Google itself behind it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from connectors_demo.command import announcement, command
from connectors_demo.together import running as running_demo
from connectors_host.server import listen

from tests.canary import Canary
from tests.host.test_commands import ENVIRONMENT, MAIN, Heard, _env

GOOGLE = {
    "GOOGLE_CLIENT_ID": "fake.apps.googleusercontent.example",
    "GOOGLE_CLIENT_SECRET": "a-secret-of-nobody",
}


def test_it_tells_what_to_open_and_leaves_nothing_running(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", MAIN, "demo", "--port", "0"]
    with Heard(
        arguments, cwd=tmp_path, env=_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = ""
        while "Ctrl-C" not in told:
            line = process.stdout.readline()
            assert line, process.communicate(timeout=30)[1]
            told += line
        urls = [url.rstrip(".") for url in re.findall(r"http://[\w.:]+/?", told)]
        assert len(urls) == 3
        # A browser keeps its connections open; they hold nobody up.
        with httpx.Client(trust_env=False) as browser:
            answers = [browser.get(url) for url in urls]
            assert [answer.status_code for answer in answers] == [200, 200, 404]
            assert "Smart calendar" in answers[0].text
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    for url in urls:
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", GOOGLE)
def test_half_of_the_credentials_are_a_mistake(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, GOOGLE[name])
    assert command.run(Namespace(port=None, oidc=False)) == 1
    assert "set both GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as taken:
        assert command.run(Namespace(port=taken.getsockname()[1], oidc=False)) == 1
    assert "cannot start" in capsys.readouterr().err


async def test_with_credentials_google_itself_is_asked(canary: Canary) -> None:
    canary.watch(GOOGLE["GOOGLE_CLIENT_SECRET"], "client secret")
    assert not ENVIRONMENT.keys() & GOOGLE.keys()
    listeners = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    async with (
        running_demo(listeners, credentials=GOOGLE) as demo,
        httpx.AsyncClient(trust_env=False) as browser,
    ):
        assert demo.google is None
        told = announcement(demo)
        assert f"{demo.host}/callback/google\n" in told
        assert f"{demo.app}/granted\n" in told
        assert "emulated" not in told
        answer = await browser.get(f"{demo.app}/sign-in")
        while urlsplit(answer.headers["location"]).path != "/sign-in":
            answer = await browser.get(urljoin(str(answer.url), answer.headers["location"]))
        page = await browser.get(urljoin(str(answer.url), answer.headers["location"]))
        assert "accounts.google.com" not in page.text  # One Tap wants an origin that Google knows
        sign_in = re.search(r'href="(/sign-in/google[^"]*)"', page.text)
        assert sign_in is not None
        leaving = await browser.get(urljoin(demo.host, sign_in[1].replace("&amp;", "&")))
        to = urlsplit(leaving.headers["location"])
        asked = parse_qs(to.query)
        policy = (await browser.get(demo.app)).headers["content-security-policy"]
    assert (to.scheme, to.netloc, to.path) == ("https", "accounts.google.com", "/o/oauth2/v2/auth")
    assert asked["client_id"] == [GOOGLE["GOOGLE_CLIENT_ID"]]
    assert asked["redirect_uri"] == [f"{demo.host}/callback/google"]
    assert asked["scope"] == ["openid email profile"]
    assert (asked["access_type"], asked["prompt"]) == (["offline"], ["consent"])
    assert "https://accounts.google.com" in policy
