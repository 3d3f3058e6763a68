"""The synchronous hub: one loop behind all threads, and nothing lost at the end."""

from __future__ import annotations

import asyncio
import gc
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors_core import ConnectorMetadata, Profile, Purpose, Registry, sync
from connectors_core.errors import NotFound, StorageError
from connectors_core.hub import Hub as AsyncHub
from connectors_core.hub.access_tokens import access_of
from connectors_core.metadata import ServerMetadata
from connectors_core.oauth2 import OAuth2Config, OAuth2Connector
from connectors_core.tokens import TokenSet
from connectors_core.vault import Keyring

KEYS = Keyring({"k1": b"1" * 32})


class Slow(OAuth2Connector):
    """Signs anybody in, and takes its time to refresh."""

    id = "slow"
    metadata = ConnectorMetadata(name={"en": "Slow"})
    Config = OAuth2Config
    server = ServerMetadata(
        authorization_endpoint="https://slow.test/authorize", token_endpoint="https://slow.test/token"
    )
    asked: list[str] = []

    async def exchange(self, callback, transaction):
        return TokenSet(access_token="first", refresh_token="r0", expires_at=time.time() - 1)

    async def profile(self, api, tokens):
        return Profile(id="42")

    async def refresh(self, tokens, *, scopes=None):
        self.asked.append(tokens.refresh_token)
        await asyncio.sleep(0.05)
        return TokenSet(access_token="second", refresh_token="r1", expires_at=time.time() + 3600)


@pytest.fixture
def hub(tmp_path):
    Slow.asked.clear()
    registry = Registry()
    registry.register(Slow)
    with sync.Hub(registry, database=f"sqlite:///{tmp_path}/hub.db", keys=KEYS) as opened:
        opened.add("slow", config={"clientId": "c"}, token_storage=True)
        yield opened


def sign_in(hub):
    started = hub.begin("slow", redirect_uri="https://host.test/callback", purpose=Purpose.SIGN_IN)
    state = started.uri.partition("state=")[2].partition("&")[0]
    completed = hub.complete(f"code=c&state={state}", connector="slow", binding=started.binding)
    return hub.link(completed, owner="user-1")


def test_the_same_methods_answer_without_await(hub):
    identity = sign_in(hub)
    assert [each.id for each in hub.identities("user-1")] == [identity.id]
    assert hub.access_token("slow", owner="user-1").access_token == "second"
    assert hub.connector("slow").id == "slow"
    assert hub.tenant("other").connectors() == ()
    assert hub.database.fetch("SELECT 1") == [(1,)]
    with pytest.raises(NotFound):
        hub.access_token("nobody", owner="user-1")
    assert hub.unlink(identity.id, owner="user-1")


def test_everything_public_is_there(hub):
    public = {name for name in dir(AsyncHub) if not name.startswith("_")}
    assert public <= set(dir(hub)) | {"from_config"}


def test_all_threads_share_one_refresh(hub):
    sign_in(hub)
    with ThreadPoolExecutor(40) as pool:
        tokens = list(pool.map(lambda _: hub.access_token("slow", owner="user-1"), range(200)))
    assert {token.access_token for token in tokens} == {"second"}
    assert Slow.asked == ["r0"]


def test_the_refresher_renews_ahead_without_await(hub):
    sign_in(hub)
    hub.database.fetch("UPDATE connectors_secrets SET used_at = 9e9")
    assert hub.refresher().round() == 1
    assert Slow.asked == ["r0"]


def test_drain_finishes_what_is_under_way(hub):
    sign_in(hub)
    caller = threading.Thread(target=hub.access_token, args=("slow",), kwargs={"owner": "user-1"})
    caller.start()
    while not Slow.asked:
        time.sleep(0.001)
    assert hub.drain(5)
    caller.join()
    assert hub.access_token("slow", owner="user-1").access_token == "second"


def test_closing_twice_is_closing_once(tmp_path):
    hub = sync.Hub(Registry()).open()
    hub.close()
    hub.close()


def test_a_closed_hub_says_so():
    opened = sync.Hub(Registry()).open()
    opened.close()
    with pytest.raises(StorageError, match="closed"):
        opened.access_token("acme", owner="user-1")


def test_a_loop_that_does_not_run_keeps_drain_no_longer_than_asked():
    blocked, go = threading.Event(), threading.Event()

    def block():
        blocked.set()
        go.wait(30)

    with sync.Hub(Registry()) as opened:
        thread = threading.Thread(target=opened._loop.call, args=(block,))
        thread.start()
        blocked.wait()
        begun = time.monotonic()
        assert not opened.drain(0.1)
        assert time.monotonic() - begun < 10
        go.set()
        thread.join()


def test_its_own_loop_cannot_wait_for_itself(hub):
    async def inside():
        return hub.connectors()

    with pytest.raises(StorageError, match="its own loop"):
        hub._loop.call(inside)


def test_hubs_leave_nothing_behind(tmp_path):
    before = set(threading.enumerate())
    with sync.Hub(Registry()):
        pass
    registered = len(threading._threading_atexits)
    for _ in range(3):
        with sync.Hub(Registry()):
            pass
        sync.Hub(Registry())
    tenant = sync.Hub(Registry()).tenant("other")
    gc.collect()
    assert tenant.connectors() == (), "what a hub gave goes on without it"
    del tenant
    gc.collect()
    until = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < until:
        time.sleep(0.001)
    assert not set(threading.enumerate()) - before
    assert len(threading._threading_atexits) == registered
    assert not sync._OPEN


def test_closing_takes_the_signal_handler_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with sync.Hub(Registry()) as hub:
        hub.drain_on_sigterm()
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_handler_that_was_there_is_called_after_the_drain():
    told = []
    before = signal.signal(
        signal.SIGTERM, lambda *_: told.append(hub._behind._shared.access._flights.draining)
    )
    try:
        with sync.Hub(Registry()) as hub:
            hub._loop.call(access_of, hub._behind._shared)
            hub.drain_on_sigterm()
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [True]


PROGRAM = """
import asyncio, signal, sys, time
sys.path.insert(0, {folder!r})
from test_sync_program import Slow, sign_in
from connectors_core import Registry, sync
from connectors_core.vault import Keyring

registry = Registry()
registry.register(Slow)
hub = sync.Hub(registry, database={database!r}, keys=Keyring({{"k1": b"1" * 32}})).open()
hub.add("slow", config={{"clientId": "c"}}, token_storage=True)
sign_in(hub)
{at_the_end}
real = Slow.refresh
async def refresh(self, tokens, *, scopes=None):
    print("asked", flush=True)
    await asyncio.sleep(0.5)
    return await real(self, tokens, scopes=scopes)
Slow.refresh = refresh
hub.access_token("slow", owner="user-1")
"""


@pytest.mark.parametrize(
    ("at_the_end", "code"),
    [
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))", 0),
        ("hub.drain_on_sigterm()", -signal.SIGTERM),
    ],
)
def test_a_process_that_is_told_to_end_keeps_what_it_asked_for(tmp_path, at_the_end, code):
    shutil.copy(__file__, tmp_path / "test_sync_program.py")
    database = f"sqlite:///{tmp_path}/hub.db"
    program = textwrap.dedent(PROGRAM).format(folder=str(tmp_path), database=database, at_the_end=at_the_end)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == code
    Slow.asked.clear()
    registry = Registry()
    registry.register(Slow)
    with sync.Hub(registry, database=database, keys=KEYS) as hub:
        hub.add("slow", config={"clientId": "c"}, token_storage=True)
        assert hub.access_token("slow", owner="user-1").access_token == "second"
    assert Slow.asked == [], "what that process asked for was stored by it"
