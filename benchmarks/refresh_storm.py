"""Many callers in several processes meet an expired token: who asks the provider, and is the grant alive?

::

    python benchmarks/refresh_storm.py --scenario calm --runs 100
    python benchmarks/refresh_storm.py --scenario all --runs 20 --database postgresql://…

Each run is a grant of its own under 4 × 50 callers. The provider is ours, on a loopback port, and
judges: a refresh token that is used twice under ``strict`` revokes the grant. A grant is lost
*avoidably* where the first use of that token was answered to a process that lived on, and no
process reports an answer that it did not get (on a machine under load 0.8 s may be too short).
A token counts as expired where its end had come when the caller looked at the clock itself: it lived
when it was judged, so that is a matter of how long the process was kept from running in between.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from connectors_core.access.access import Access
from connectors_core.access.held import Held
from connectors_core.access.timing import Timing
from connectors_core.connector import FailureKind, NetworkPermission, Runtime
from connectors_core.errors import ConnectorError, ReauthorizationRequired
from connectors_core.events import Event
from connectors_core.grants import GrantRef, Occasion
from connectors_core.http import HttpSender
from connectors_core.http.transport import default_ssl_context
from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import OAuth2Config, OAuth2Connector
from connectors_core.profile import IdentityKey
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.migrations import prepare, upgrade
from connectors_core.storage.sql import SqlStores
from connectors_core.stores import Identity
from connectors_core.testing.provider import Fault, Provider, Request, Response
from connectors_core.testing.provider.grants import Grant
from connectors_core.testing.provider.messages import broken
from connectors_core.tokens import TokenSet
from connectors_core.vault import Keyring, Vault
from connectors_core.vault.key_states import KeyStates
from connectors_core.vault.rows import SqlSealedRows

PROCESSES = 4
CALLERS = 50
KEYS = {"storm": b"not a secret, of 32 bytes length"}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens, to whom. Shares are of refresh requests, times in seconds.

    Who is hit is the one that asks first after a time of up to ``hit_within``.
    """

    name: str
    rotation: str = "strict"
    seconds: float = 2.0
    lifetime: float = 0.6
    lease: float = 1.2
    kill: str = ""
    stop: float = 0.0
    hit_within: float = 0.7
    unavailable: float = 0.0
    throttled: float = 0.0
    reset: float = 0.0
    lost: float = 0.0
    outage: float = 0.0
    min_ttl: float = 0.0


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="calm"),
        Scenario(name="min-ttl", lifetime=20.0, min_ttl=18.5, seconds=4.0),
        Scenario(name="kill-random", kill="random"),
        Scenario(name="kill-aimed-grace", rotation="grace:10", kill="aimed", seconds=3.0),
        Scenario(name="kill-aimed-strict", kill="aimed", seconds=3.0),
        Scenario(name="faults", unavailable=0.25, throttled=0.05, reset=0.15, seconds=4.0),
        Scenario(name="lost-grace", rotation="grace:10", lost=0.25, seconds=4.0),
        Scenario(name="lost-strict", lost=0.15, seconds=4.0),
        Scenario(name="paused-grace", rotation="grace:10", stop=2.0, seconds=5.0),
        Scenario(name="paused-strict", stop=2.0, lease=4.0, seconds=5.0),
        Scenario(name="outage", outage=3.0, seconds=6.0, lifetime=60.0),
    )
}


class StormConnector(OAuth2Connector):
    """The connector under storm; says in each refresh which process sends it."""

    id = "storm"
    metadata = ConnectorMetadata(name={"en": "Storm"})


def connector_for(endpoint: str, rotation: str, sender: HttpSender, **config: str) -> StormConnector:
    runtime = Runtime(
        sender=sender,
        metadata_cache=None,  # type: ignore[arg-type]  # the endpoints are typed in
        key_cache=None,  # type: ignore[arg-type]
        clock=time.time,
        network=NetworkPermission(private=True),
    )
    server = ServerMetadata(
        authorization_endpoint=endpoint, token_endpoint=endpoint, token_endpoint_auth_methods_supported=None
    )
    attributes = {
        "server": server,
        "rotation": rotation,
        "refresh_parameters": {"worker": str(os.getpid())},
        "token_endpoint_auth_method": config.pop("auth_method", "client_secret_basic"),
    }
    kind = type("Stormed", (StormConnector,), attributes)
    made: StormConnector = kind(OAuth2Config(**config), connector_id="storm", runtime=runtime)
    return made


def reference(identity: str) -> GrantRef:
    return GrantRef(
        tenant="default",
        owner="user-1",
        identity=identity,
        subject=identity,
        connector="storm",
        target="storm",
        issuer="https://storm.test",
        urls=b"u" * 32,
        client="client-1",
    )


async def open_vault(url: str) -> tuple[OpenDatabase, Vault]:
    database = open_database(url)
    if url.startswith("sqlite"):
        await prepare(database)
    keys, states = Keyring(KEYS), KeyStates(database)
    await states.begin(keys, now=time.time())
    return database, Vault(SqlSealedRows(database, shared=not url.startswith("sqlite")), keys, states)


async def keep(database: OpenDatabase, vault: Vault, identity: str, tokens: TokenSet) -> None:
    ref = reference(identity)
    await SqlStores(database).identities.add(
        Identity(
            tenant=ref.tenant,
            id=identity,
            owner=ref.owner,
            connector=ref.connector,
            target=ref.target,
            group=ref.connector,
            key=IdentityKey(ref.issuer, ref.subject),
        )
    )
    await vault.put(ref, tokens, occasion=Occasion.FIRST, now=time.time())


# One process of callers


async def work(url: str) -> None:
    """Serve runs that come as lines on standard input, until it ends."""
    database, vault = await open_vault(url)
    default_ssl_context()
    unknown: list[Event] = []

    def observe(event: Event) -> None:
        if event.detail.get("kind") == FailureKind.UNKNOWN:
            unknown.append(event)

    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    # A daemon: a worker that fails must end, and not wait for the next line.
    threading.Thread(target=_read_lines, args=(loop, lines), daemon=True).start()
    print("ready", flush=True)
    access, sender, endpoint = Access(observe=observe), HttpSender(), ""
    while line := await lines.get():
        run = json.loads(line)
        if run["endpoint"] != endpoint:
            await access.drain(5)
            await sender.aclose()
            timing = Timing(lease=run["lease"], request=run["deadline"], patience=run["patience"])
            access, sender = Access(observe=observe, timing=timing), HttpSender(deadline=run["deadline"])
            endpoint = run["endpoint"]
        held = Held(
            tenant="default",
            owner="user-1",
            identity=run["identity"],
            target="storm",
            connector=connector_for(endpoint, run["rotation"], sender, **run["config"]),
            store=vault,
        )
        tally = Tally()
        unknown.clear()
        until = time.monotonic() + run["seconds"]
        await asyncio.gather(
            *(_caller(access, held, tally, until, run["min_ttl"]) for _ in range(run["callers"]))
        )
        seen = {"sent": sender.requests_sent, "unknown": len(unknown)}
        print(json.dumps({**tally.__dict__, **seen}), flush=True)
    await access.drain(5)
    await sender.aclose()
    await database.aclose()


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    loop.call_soon_threadsafe(lines.put_nowait, "")


@dataclass
class Tally:
    """What the callers of a process saw."""

    calls: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    dead: int = 0
    expired: int = 0
    latest: float = 0.0
    longest: float = 0.0


async def _caller(access: Access, held: Held, tally: Tally, until: float, min_ttl: float) -> None:
    while True:
        begun = time.monotonic()
        tally.calls += 1
        try:
            token = await access.token(held, min_ttl=min_ttl)
        except ReauthorizationRequired:
            tally.dead += 1
        except ConnectorError as error:
            name = type(error).__name__
            tally.failed[name] = tally.failed.get(name, 0) + 1
        else:
            tally.longest = max(tally.longest, time.monotonic() - begun)
            late = -1.0 if token.expires_at is None else time.time() - token.expires_at
            tally.expired += late >= 0
            tally.latest = max(tally.latest, late)
        if time.monotonic() >= until:
            return
        await asyncio.sleep(random.uniform(0.02, 0.25))  # noqa: S311


# The provider, and who is hit while it answers


@dataclass
class Use:
    """One refresh request: who sent which token, and whether an answer may have arrived."""

    token: str
    worker: int
    lost: bool = False


class StormProvider(Provider):
    """Answers after 10 to 80 ms, goes wrong as the scenario says, and tells when a worker may be hit."""

    def __init__(self, scenario: Scenario, draw: random.Random) -> None:
        super().__init__(openid=False, rotation=scenario.rotation)
        self.access_token_lifetime = scenario.lifetime  # type: ignore[assignment]
        self.scenario, self.draw = scenario, draw
        self.uses: list[Use] = []
        self.hit_next = False
        self.hits: list[tuple[int, float]] = []
        self.outage_until = 0.0
        self.in_flight = self.most_in_flight = 0
        self.asked_in_outage = 0
        self.asked_by_hit: asyncio.Queue[int] = asyncio.Queue()

    async def handle(self, request: Request) -> Response:
        form = dict(request.form_pairs())
        use = Use(form.get("refresh_token", ""), int(form.get("worker", "0")))
        self.uses.append(use)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.hit_next:
            self.hit_next = False
            self.asked_by_hit.put_nowait(use.worker)
        try:
            return await self._answer_slowly(request, use)
        finally:
            self.in_flight -= 1

    async def _answer_slowly(self, request: Request, use: Use) -> Response:
        scenario = self.scenario
        pause = self.draw.uniform(0.01, 0.08)
        await asyncio.sleep(pause / 2)
        if time.time() < self.outage_until:
            self.asked_in_outage += 1
            return Response.json({"error": "temporarily_unavailable"}, status=503)
        chance = self.draw.random()
        for share, answer in (
            (scenario.unavailable, Response.json({"error": "server_error"}, status=503)),
            (scenario.throttled, Response.json({"error": "slow_down"}, status=429, retry_after="1")),
            (scenario.reset, broken(Fault.RESET)),
        ):
            if chance < share:
                return answer
            chance -= share
        response = await super().handle(request)
        await asyncio.sleep(pause / 2)
        if self.draw.random() < scenario.lost:
            use.lost = True
            return broken(Fault.RESET)
        return response

    def grant(self, identity: str) -> tuple[Grant, TokenSet]:
        """A grant whose access token has expired already."""
        grant = Grant(
            client_id="client-1",
            person=next(iter(self.people.values())),
            scopes=("calendar",),
            redirect_uri="",
        )
        self.ledger.grants.append(grant)
        tokens = TokenSet(
            access_token=f"expired-{identity}",
            refresh_token=self.ledger.add_refresh_token(grant),
            expires_at=time.time() - 1,
            scopes=frozenset({"calendar"}),
            scopes_stated=True,
        )
        return grant, tokens

    def avoidable(self, killed: set[int]) -> bool:
        """Whether a token was used again although its first use was answered to a process that lived on."""
        first: dict[str, Use] = {}
        for use in self.uses:
            before = first.setdefault(use.token, use)
            if before is not use and before.worker not in killed and not before.lost:
                return True
        return False


# The harness


@dataclass
class Figures:
    """What a scenario came to."""

    scenario: str
    store: str
    runs: int = 0
    calls: int = 0
    requests: int = 0
    refreshed: int = 0
    most_in_flight: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    expired: int = 0
    latest: float = 0.0
    hit: int = 0
    lost: int = 0
    avoidable: int = 0
    unknown: int = 0
    longest: float = 0.0
    most_in_outage: int = 0

    def line(self) -> str:
        failed = ", ".join(f"{name} {count}" for name, count in self.failed.items()) or "0"
        late = f"{self.expired}, {self.latest * 1000:.1f} ms at most" if self.expired else "0"
        outage = f" | in outage {self.most_in_outage}" if self.most_in_outage else ""
        return (
            f"{self.scenario:18} {self.store:10} | runs {self.runs} | calls {self.calls} | "
            f"requests {self.requests} for {self.refreshed} sets | most in flight {self.most_in_flight} | "
            f"failed {failed} | expired {late} | hit {self.hit} | lost {self.lost} | "
            f"avoidable {self.avoidable} | answers lost {self.unknown} | "
            f"longest wait {self.longest:.2f} s{outage}"
        )


class Workers:
    """The processes; one that was killed is replaced."""

    def __init__(self, url: str, count: int = PROCESSES) -> None:
        self.url, self.count = url, count
        self.running: list[asyncio.subprocess.Process] = []

    async def fill(self) -> None:
        self.running = [process for process in self.running if process.returncode is None]
        new = [await self._start() for _ in range(self.count - len(self.running))]
        for process in new:
            assert process.stdout is not None
            assert (await process.stdout.readline()).strip() == b"ready", "a worker did not start"
        self.running += new

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            "--worker",
            self.url,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def run(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """What each process saw; nothing of one that was killed."""
        line = json.dumps(order).encode() + b"\n"
        for process in self.running:
            assert process.stdin is not None
            process.stdin.write(line)
        answers = await asyncio.gather(
            *(process.stdout.readline() for process in self.running if process.stdout is not None)
        )
        for process, answer in zip(self.running, answers, strict=True):
            if not answer:
                await process.wait()
        return [json.loads(answer) for answer in answers if answer]

    async def stop(self) -> None:
        for process in self.running:
            assert process.stdin is not None
            process.stdin.close()
        for process in self.running:
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
            if process.returncode is None:
                process.kill()
                await process.wait()


async def storm(
    scenario: Scenario, workers: Workers, *, runs: int, seed: int = 0, callers: int = CALLERS
) -> Figures:
    """Run one scenario on the workers' database, whose schema is there."""
    draw = random.Random(seed)  # noqa: S311
    figures = Figures(scenario.name, workers.url.partition(":")[0])
    provider = StormProvider(scenario, draw)
    database, vault = await open_vault(workers.url)
    try:
        async with provider.serving():
            order = {
                "endpoint": provider.url("token"),
                "rotation": scenario.rotation,
                "lease": scenario.lease,
                "deadline": 0.8,
                "patience": 15.0,
                "seconds": scenario.seconds,
                "min_ttl": scenario.min_ttl,
                "callers": callers,
                "config": {"client_id": "client-1", "client_secret": provider.clients["client-1"].secret},
            }
            for number in range(runs):
                await workers.fill()
                order["identity"] = f"{scenario.name}-{os.getpid()}-{seed}-{number}"
                await _run(order, scenario, provider, workers, figures, database, vault, draw)
    finally:
        await database.aclose()
    return figures


async def _run(
    order: dict[str, Any],
    scenario: Scenario,
    provider: StormProvider,
    workers: Workers,
    figures: Figures,
    database: OpenDatabase,
    vault: Vault,
    draw: random.Random,
) -> None:
    identity = order["identity"]
    _, tokens = provider.grant(identity)
    await keep(database, vault, identity, tokens)
    provider.uses.clear()
    provider.most_in_flight = provider.asked_in_outage = 0
    provider.outage_until = time.time() + scenario.outage if scenario.outage else 0.0
    killed: set[int] = set()
    trouble = asyncio.create_task(_trouble(scenario, provider, workers, killed, draw))
    try:
        tallies = await workers.run(order)
    finally:
        trouble.cancel()
        with suppress(asyncio.CancelledError):
            await trouble
    await asyncio.sleep(0.1)
    state = await vault.state("default", identity)
    assert state is not None
    lost = state.reason is not None
    figures.runs += 1
    figures.requests += len(provider.uses)
    figures.refreshed += state.generation - 1
    figures.most_in_flight = max(figures.most_in_flight, provider.most_in_flight)
    figures.most_in_outage = max(figures.most_in_outage, provider.asked_in_outage)
    figures.hit += len(killed) + int(bool(scenario.stop))
    figures.lost += lost
    cut = sum(tally["unknown"] for tally in tallies)
    figures.unknown += cut
    figures.avoidable += lost and not cut and provider.avoidable(killed)
    for tally in tallies:
        figures.calls += tally["calls"]
        figures.failed.update(tally["failed"])
        if tally["dead"] and not lost:
            figures.failed["dead though alive"] += tally["dead"]
        figures.expired += tally["expired"]
        figures.latest = max(figures.latest, tally["latest"])
        figures.longest = max(figures.longest, tally["longest"])


async def _trouble(
    scenario: Scenario, provider: StormProvider, workers: Workers, killed: set[int], draw: random.Random
) -> None:
    """Hit one process of the run: at any moment, or within 75 ms of its request."""
    if scenario.kill == "random":
        await asyncio.sleep(draw.uniform(0.05, scenario.seconds - 0.3))
        victim = draw.choice(workers.running).pid
        killed.add(victim)
        os.kill(victim, signal.SIGKILL)
    elif scenario.kill == "aimed" or scenario.stop:
        await asyncio.sleep(draw.uniform(0.0, scenario.hit_within))
        provider.hit_next = True
        victim = await provider.asked_by_hit.get()
        await asyncio.sleep(draw.uniform(0.0, 0.075))
        if scenario.stop:
            os.kill(victim, signal.SIGSTOP)
            try:
                await asyncio.sleep(scenario.stop)
            finally:
                os.kill(victim, signal.SIGCONT)
        else:
            killed.add(victim)
            os.kill(victim, signal.SIGKILL)


@asynccontextmanager
async def scratch_database() -> AsyncIterator[str]:
    """A SQLite file of its own, with the schema."""
    with tempfile.TemporaryDirectory(prefix="connectors-storm-") as folder:
        url = f"sqlite:///{Path(folder) / 'storm.db'}"
        database = open_database(url)
        await prepare(database)
        await database.aclose()
        yield url


async def main(options: argparse.Namespace) -> None:
    names = list(SCENARIOS) if options.scenario == ["all"] else options.scenario
    async with scratch_database() as scratch:
        url = options.database or scratch
        if options.database:
            await asyncio.to_thread(upgrade, url)
        workers = Workers(url)
        try:
            for name in names:
                scenario = SCENARIOS[name]
                if options.lease:
                    scenario = replace(scenario, lease=options.lease)
                begun = time.monotonic()
                figures = await storm(scenario, workers, runs=options.runs, seed=options.seed)
                print(f"{figures.line()} | {time.monotonic() - begun:.0f} s", flush=True)
        finally:
            await workers.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scenario", nargs="+", default=["calm"], choices=[*SCENARIOS, "all"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lease", type=float, default=0.0)
    parser.add_argument("--database", default="", help="a PostgreSQL URL; default: a SQLite file of its own")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    asyncio.run(work(chosen.worker) if chosen.worker else main(chosen))
