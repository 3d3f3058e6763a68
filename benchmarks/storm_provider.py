"""The scenarios of ``refresh_storm.py`` and the provider that plays them, and judges."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from connectors_core.testing.provider import Fault, Provider, Request, Response
from connectors_core.testing.provider.grants import Grant
from connectors_core.testing.provider.messages import broken
from connectors_core.tokens import TokenSet


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


@dataclass
class Use:
    """One refresh request: who sent which token, whether it was looked at, and the answer cut off."""

    token: str
    worker: int
    processed: bool = False
    cut: bool = False


class StormProvider(Provider):
    """Answers after 10 to 80 ms, goes wrong as the scenario says, and tells when a worker may be hit."""

    def __init__(self, scenario: Scenario, draw: random.Random) -> None:
        super().__init__(openid=False, rotation=scenario.rotation)
        self.access_token_lifetime = scenario.lifetime  # type: ignore[assignment]
        self.scenario, self.draw = scenario, draw
        self.uses: list[Use] = []
        self.hit_next = False
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
                use.cut = answer.fault is not None
                return answer
            chance -= share
        use.processed = True
        response = await super().handle(request)
        await asyncio.sleep(pause / 2)
        if self.draw.random() < scenario.lost:
            use.cut = True
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

    def serves(self, refresh_token: str | None) -> bool:
        """Whether the next refresh by that token would be answered with another set."""
        entry = self.ledger.refresh_tokens.get(refresh_token or "")
        if entry is None or entry.grant.revoked:
            return False
        policy, _, seconds = self.rotation.partition(":")
        return entry.used_at is None or (policy == "grace" and time.time() - entry.used_at <= float(seconds))

    def avoidable(self, *, killed: set[int], lost: Mapping[int, int]) -> bool:
        """Whether a token was used again although its first use was answered to who got the answer.

        Excused are the last request of a process that was killed, an answer that was cut off, and a
        process that says by ``lost`` that it missed more answers than were cut off.
        """
        last = {use.worker: use for use in self.uses}
        cut = Counter(use.worker for use in self.uses if use.cut)
        first: dict[str, Use] = {}
        for use in self.uses:
            before = first.setdefault(use.token, use) if use.processed else use
            if before is use or before.cut or lost.get(before.worker, 0) > cut[before.worker]:
                continue
            if before.worker not in killed or last[before.worker] is not before:
                return True
        return False
