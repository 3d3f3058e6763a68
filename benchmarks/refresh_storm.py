"""Many callers in several processes meet an expired token: who asks the provider, and is the grant alive?

::

    python benchmarks/refresh_storm.py --scenario calm --runs 100
    python benchmarks/refresh_storm.py --scenario all --runs 20 --database postgresql://…

Each run is a grant of its own under 4 × 50 callers. The provider is ours, on a loopback port, and
judges: a refresh token that is used twice under ``strict`` revokes the grant. A grant is lost where
it is inactive, and also where the provider would not take the refresh token that is stored at the
end of the run, noticed or not. It is lost *avoidably* where the first use of a token was answered to
a process that lived on and reports no answer that it did not get, besides those that were cut off
(on a machine under load 0.8 s may be too short).
A token counts as expired where less than ``min_ttl`` was left when the caller looked at the clock
itself: it served when it was judged, so that is a matter of how long the process was kept from
running in between. A process that ends without having been killed counts as failed.
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
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import storm_worker
from benchmarks.storm_provider import SCENARIOS, Scenario, StormProvider
from benchmarks.storm_worker import keep, open_vault
from connectors_core.grants import StoredGrant
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.migrations import prepare, upgrade
from connectors_core.vault import Vault

PROCESSES = 4
CALLERS = 50


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
        self.silent: set[int] = set()

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
            storm_worker.__file__,
            self.url,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def run(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """What each process saw; those that ended instead are ``silent``."""
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
        self.silent = {
            process.pid for process, answer in zip(self.running, answers, strict=True) if not answer
        }
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
    hit: set[int] = set()
    trouble = asyncio.create_task(_trouble(scenario, provider, workers, hit, draw))
    try:
        tallies = await workers.run(order)
    finally:
        trouble.cancel()
        with suppress(asyncio.CancelledError):
            await trouble
    killed = hit if scenario.kill else set()
    stored = await _settled(vault, identity)
    state = stored.state
    lost = state.reason is not None or not provider.serves(stored.tokens.refresh_token)
    figures.runs += 1
    figures.requests += len(provider.uses)
    figures.refreshed += state.generation - 1
    figures.most_in_flight = max(figures.most_in_flight, provider.most_in_flight)
    figures.most_in_outage = max(figures.most_in_outage, provider.asked_in_outage)
    figures.hit += len(hit)
    figures.lost += lost
    missed = {tally["worker"]: tally["unknown"] for tally in tallies}
    figures.unknown += sum(missed.values())
    figures.avoidable += lost and provider.avoidable(killed=killed, lost=missed)
    if died := workers.silent - killed:
        figures.failed["process that ended"] += len(died)
    for tally in tallies:
        figures.calls += tally["calls"]
        figures.failed.update(tally["failed"])
        if tally["dead"] and not lost:
            figures.failed["dead though alive"] += tally["dead"]
        figures.expired += tally["expired"]
        figures.latest = max(figures.latest, tally["latest"])
        figures.longest = max(figures.longest, tally["longest"])


async def _settled(vault: Vault, identity: str) -> StoredGrant:
    """What is stored when nobody works on it any more, or has not for as long as an answer may take."""
    until = time.monotonic() + 2.0
    while True:
        stored = await vault.open("default", identity)
        assert stored is not None
        if stored.state.lease_holder is None or time.monotonic() >= until:
            return stored
        await asyncio.sleep(0.05)


async def _trouble(
    scenario: Scenario, provider: StormProvider, workers: Workers, hit: set[int], draw: random.Random
) -> None:
    """Hit one process of the run: at any moment, or within 75 ms of its request."""
    if scenario.kill == "random":
        await asyncio.sleep(draw.uniform(0.05, scenario.seconds - 0.3))
        victim = draw.choice(workers.running).pid
        hit.add(victim)
        os.kill(victim, signal.SIGKILL)
    elif scenario.kill == "aimed" or scenario.stop:
        await asyncio.sleep(draw.uniform(0.0, scenario.hit_within))
        provider.hit_next = True
        victim = await provider.asked_by_hit.get()
        await asyncio.sleep(draw.uniform(0.0, 0.075))
        hit.add(victim)
        if scenario.stop:
            os.kill(victim, signal.SIGSTOP)
            try:
                await asyncio.sleep(scenario.stop)
            finally:
                os.kill(victim, signal.SIGCONT)
        else:
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
    asyncio.run(main(parser.parse_args()))
