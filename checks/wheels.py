"""Check what users get: ``python checks/wheels.py``.

Builds a source distribution and, from it, a wheel of every member, installs the wheels with the
hashed requirements into an empty virtual environment, and there, away from this tree, runs
``connectors --version``, ``connectors list`` and both of ``connectors demo``, and signs in as a person does.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import venv
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx

ROOT = Path(__file__).parents[1].resolve()
PATIENCE = 60.0
"""Seconds for the demo to print its URL."""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def environment() -> dict[str, str]:
    """This environment without what would lead Python back into the tree."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}


def build(dist: Path) -> list[Path]:
    """Build every member; return the wheels."""
    members = ("connectors/*", "embedded", "host", "demo")
    manifests = [found for each in members for found in sorted(ROOT.glob(f"{each}/pyproject.toml"))]
    for folder in [ROOT, *(manifest.parent for manifest in manifests)]:
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, folder)
    wheels = sorted(dist.glob("*.whl"))
    for wheel in wheels:
        names = zipfile.ZipFile(wheel).namelist()
        tops = {name.partition("/")[0] for name in names}
        package, _, _ = wheel.name.partition("-")
        if f"{package}/py.typed" not in names or not any("/licenses/" in name for name in names):
            sys.exit(f"{wheel.name} lacks py.typed or its licence")
        if strange := {top for top in tops if top != package and not top.endswith(".dist-info")}:
            sys.exit(f"{wheel.name} holds {', '.join(sorted(strange))}")
    return wheels


def install(wheels: list[Path], folder: Path) -> Path:
    """An environment with the wheels and their pinned requirements; returns its programs' folder."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    pip: list[str | Path] = [
        programs / "python",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--quiet",
        "install",
    ]
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "demo.txt")
    run(*pip, "--no-deps", "--no-index", *wheels)
    run(programs / "python", "-m", "pip", "check")
    return programs


class Page(HTMLParser):
    """The links and forms of a page."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.url = str(answer.url)
        self.links: list[str] = []
        self.forms: list[tuple[str, str, dict[str, str]]] = []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in values:
            self.links.append(urljoin(self.url, values["href"]))
        elif tag == "form":
            action = urljoin(self.url, values.get("action") or self.url)
            self.forms.append((values.get("method", "get").lower(), action, {}))
        elif tag in ("input", "button") and self.forms and values.get("name"):
            # The first button of a name is the one that a person presses by Enter.
            self.forms[-1][2].setdefault(values["name"], values.get("value", ""))


def submit(browser: httpx.Client, form: tuple[str, str, dict[str, str]]) -> httpx.Response:
    method, action, fields = form
    data = {"data": fields} if method == "post" else {"params": fields}
    return browser.request(method, action, **data)  # type: ignore[arg-type]


def click_connector(browser: httpx.Client, page: Page) -> httpx.Response:
    """Follow the first "Continue with …", a link or a form."""
    for link in page.links:
        if "/sign-in/" in link:
            return browser.get(link)
    for form in page.forms:
        if "/sign-in/" in form[1]:
            return submit(browser, form)
    sys.exit(f"no connector to click on {page.url}")


def enter(url: str) -> str:
    """Sign in to the calendar assistant behind ``url`` as a person would, and return its greeting."""
    with httpx.Client(follow_redirects=True, timeout=30, trust_env=False) as browser:
        welcome = Page(browser.get(url))
        host = browser.get(next(link for link in welcome.links if link.endswith("/sign-in")))
        shown = click_connector(browser, Page(host))
        while shown.url.host == "localhost":
            # The emulated Google: who is it, and what may be known?
            shown = submit(browser, Page(shown).forms[0])
        found = re.search(r"<h1>(Hello, [^<]+)</h1>", shown.text)
        if found is None or not str(shown.url).startswith(url):
            sys.exit(f"landed at {shown.url.copy_with(query=None)}: status {shown.status_code}")
        return found[1]


def sign_in(url: str) -> dict[str, object]:
    """Sign in at the host behind ``url`` as a person would, and return what ``/user`` says."""
    with httpx.Client(follow_redirects=True, timeout=30, trust_env=False) as browser:
        home = browser.get(url)
        provider = click_connector(browser, Page(home))
        forms = [form for form in Page(provider).forms if form[0] == "post"]
        if not forms:
            sys.exit(f"no login form at {provider.url}: status {provider.status_code}")
        forms[0][2]["sub"] = "alice@example.org"
        landed = submit(browser, forms[0])
        if landed.is_error or landed.url.host != home.url.host or landed.url.port != home.url.port:
            sys.exit(f"landed at {landed.url.copy_with(query=None)}: status {landed.status_code}")
        user: dict[str, object] = browser.get(urljoin(url, "/user")).raise_for_status().json()
        return user


@contextlib.contextmanager
def demo(programs: Path, folder: Path, *arguments: str) -> Iterator[str]:
    """Run ``connectors demo``, yield the URL that it prints, and see it end when it is told to."""
    process = subprocess.Popen(
        [programs / "connectors", "demo", *arguments],
        cwd=folder,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed: queue.Queue[str] = queue.Queue()
    said: list[str] = []

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            printed.put(line)
        printed.put("")

    threading.Thread(target=listen, daemon=True).start()
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                line = printed.get(timeout=max(0.1, end - time.monotonic()))
            except queue.Empty:
                line = ""
            if not line:
                sys.exit(f"connectors demo printed no URL to open:\n{''.join(said)}")
            if found := re.search(r"open\b.*?(https?://[^\s\x1b]+)", line, re.IGNORECASE):
                break
        try:
            yield found[1].rstrip(".")
        except BaseException:
            print("".join(said), file=sys.stderr)
            raise
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            sys.exit("connectors demo did not end within 10 seconds of SIGINT")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        dist, elsewhere = Path(scratch, "dist"), Path(scratch, "elsewhere")
        elsewhere.mkdir()
        wheels = build(dist)
        print(f"built {', '.join(wheel.name for wheel in wheels)}")
        programs = install(wheels, Path(scratch, "venv"))
        print(f"installed; {run(programs / 'connectors', '--version', cwd=elsewhere).strip()}")
        types = json.loads(run(programs / "connectors", "list", "--json", cwd=elsewhere))["types"]
        if not types or any(entry["status"] != "loaded" for entry in types):
            sys.exit(f"connectors list: {types}")
        print(f"connector types: {', '.join(entry['id'] for entry in types)}")
        started = time.monotonic()
        with demo(programs, elsewhere, "--oidc") as url:
            user = sign_in(url)
        if user.get("isAuthenticated") is not True:
            sys.exit(f"not signed in: /user has {sorted(user)}")
        print(f"signed in at {url} after {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        with demo(programs, elsewhere) as url:
            greeting = enter(url)
        print(f"“{greeting}” at {url} after {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
