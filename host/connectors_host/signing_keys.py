"""The keys of this host, one following upon another. They lie in the database, where all hosts find them.

Where the hub can seal, it keeps the private halves (``put_secret``), so that whoever reads the database
signs nothing. What a key is for follows from its row and the time alone: nobody need be awake for a
rotation to go on.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from joserfc.jwk import KeySet, RSAKey

from connectors_core.errors import ConfigurationError, Problem, StorageError, UnknownKey
from connectors_core.hub import Hub

from . import signing_key
from .signing_key import SigningKey, State, UnknownSigner, read_private, verified

FRESH_FOR = 30.0
"""Seconds that a host may go by what it last read."""
CACHED = 86400.0
"""Seconds that an application is taken to keep a key set at most."""
AHEAD = CACHED + 2 * FRESH_FOR
"""Seconds that a key is published before it signs."""
UNKNOWN_EVERY = 1.0
"""Seconds between two looks for keys that a token named and nobody here knows."""
ATTEMPTS = 5
PUBLISHED = (State.SIGNING, State.WAITING, State.LEAVING)
"""What is in the key set, in its order: some take the first."""
SIGN = (State.SIGNING, State.WAITING)
"""What may sign, the first that opens."""

logger = logging.getLogger("connectors_host")


class SigningKeys:
    """The table ``host_signing_keys`` of the hub's tenant."""

    def __init__(self, hub: Hub, *, clock: Callable[[], float]) -> None:
        self._hub, self._database, self._tenant = hub, hub.database, hub.name
        self._clock = clock
        self._keys: Sequence[SigningKey] = ()
        self._known = KeySet([])
        self._private: dict[str, RSAKey] = {}
        self._read_at = float("-inf")

    async def begin(self, *, needed: bool) -> None:
        """Seal what lies in the clear, where there is a key to seal by by now.

        Raises ConfigurationError where the key is ``needed``, sealed, and this host opens nothing.
        """
        clear = [key for key in await self.all() if key.private_key is not None]
        if not self._hub.can_seal:
            if needed and any(key.sealed and key.state(self._clock()) is State.SIGNING for key in self._keys):
                raise ConfigurationError([SEALED])
            return
        for key in clear:
            await self._seal(key)
        if clear:
            await self.all()
            await self._hub.scrub_log()

    async def current(self) -> RSAKey:
        """The key to sign by: of several hosts that make the first at once, all use the one that was kept.

        Raises KeyUnavailable, UnknownKey, SealBroken where it cannot be opened now. For one that is lost,
        as its key of the vault was destroyed or a clock was wrong, the one that waits signs: it is
        published already. Where none does, another is made.
        """
        for _ in range(ATTEMPTS):
            seen, now = await self._fresh(), self._clock()
            able = [key for state in SIGN for key in seen if key.state(now) is state]
            for key in able:
                private = await self._opened(key)
                if private is not None:
                    return private
            keys = await self.all()
            if _next(keys) == _next(seen) and await self._add(keys, signs_from=now if keys else 0.0):
                if able:
                    logger.warning("the signing key %s is lost; another signs from now on", able[0].kid)
                await self.all()
        raise StorageError("others replaced the signing key again and again; try again")

    async def published(self) -> Sequence[SigningKey]:
        """What applications verify by; there is always one."""
        now = self._clock()
        if not any(key.state(now) is State.SIGNING for key in await self._fresh()):
            await self.current()
        known = [key for key in self._keys if key.state(now) in PUBLISHED]
        return sorted(known, key=lambda key: PUBLISHED.index(key.state(now)))

    async def verified(self, token: str, *, type: str) -> dict[str, Any] | None:
        """The claims of a token that this host signed, ``type`` being its ``typ``. Times are not checked."""
        await self._fresh()
        try:
            return verified(token, self._known, type=type)
        except UnknownSigner:
            if 0 <= self._clock() - self._read_at < UNKNOWN_EVERY:
                return None
        await self.all()
        try:
            return verified(token, self._known, type=type)
        except UnknownSigner:
            return None

    async def rotate(self, *, at_once: bool = False) -> tuple[SigningKey, bool]:
        """The next key, and whether it was made here: where one waits already, nothing is done.

        It signs once it was published for ``AHEAD`` seconds. ``at_once``, after a leak: from now on, and
        all others are forgotten. Raises ConfigurationError where it would lie in the clear and follow upon
        one that is sealed, unless ``at_once``.
        """
        for _ in range(ATTEMPTS):
            keys, now = await self.all(), self._clock()
            sealed = any(key.sealed and key.state(now) in SIGN for key in keys)
            if sealed and not at_once and not self._hub.can_seal:
                raise ConfigurationError([SEALS_NOTHING])
            waiting = next((key for key in keys if key.state(now) is State.WAITING), None)
            if waiting is not None and not at_once:
                return waiting, False
            if await self._add(keys, signs_from=0.0 if not keys else now if at_once else now + AHEAD):
                made = next(each for each in await self.all() if each.number == _next(keys))
                for key in keys if at_once else ():
                    await self._forget(key, row=True)
                return made, True
        raise StorageError("others rotated the signing key again and again; look at the keys")

    async def all(self) -> Sequence[SigningKey]:
        """What the database has now, oldest first; what is over is forgotten on the way."""
        rows = await self._database.fetch(
            "SELECT number, kid, public_key, private_key, sealed, created_at, signs_from"
            " FROM host_signing_keys WHERE tenant = :tenant ORDER BY number",
            {"tenant": self._tenant},
        )
        now, signs_until = self._clock(), None
        keys: list[SigningKey] = []
        for number, kid, public_key, private_key, sealed, created_at, signs_from in reversed(rows):
            key = SigningKey(
                number=number,
                kid=kid,
                public_key=json.loads(public_key),
                private_key=private_key,
                sealed=bool(sealed),
                created_at=created_at,
                signs_from=signs_from,
                signs_until=signs_until,
            )
            signs_until = signs_from if signs_until is None else min(signs_until, signs_from)
            gone = key.state(now) is State.GONE
            if gone or (key.state(now) is State.PAST and (sealed or private_key)):
                await self._forget(key, row=gone)
            if not gone:
                keys.insert(0, key)
        self._keys, self._read_at = tuple(keys), now
        self._known = KeySet([RSAKey.import_key(dict(key.public_key)) for key in keys])
        self._private = {key.kid: self._private[key.kid] for key in keys if key.kid in self._private}
        return self._keys

    async def _fresh(self) -> Sequence[SigningKey]:
        fresh = self._keys and 0 <= self._clock() - self._read_at < FRESH_FOR
        return self._keys if fresh else await self.all()

    async def _opened(self, key: SigningKey) -> RSAKey | None:
        """The private half; None where it is lost. Raises UnknownKey where only this host cannot open it."""
        if key.kid not in self._private:
            text = key.private_key
            if key.sealed and not self._hub.can_seal:
                raise UnknownKey("the key that signs is sealed, and this host has no keys, or none it uses")
            if key.sealed:
                text = await self._hub.secret(_place(key.kid))
            if text is None:
                return None
            self._private[key.kid] = read_private(text)
        return self._private[key.kid]

    async def _add(self, keys: Sequence[SigningKey], *, signs_from: float) -> bool:
        """Make the key that follows upon ``keys``; False where another host was faster."""
        made = await asyncio.to_thread(signing_key.new_signing_key)
        private, sealed = json.dumps(made.as_dict(private=True)), self._hub.can_seal
        if sealed:
            await self._hub.put_secret(_place(str(made.kid)), private)
        added = await self._database.fetch(
            "INSERT INTO host_signing_keys"
            " (tenant, number, kid, public_key, private_key, sealed, created_at, signs_from)"
            " VALUES (:tenant, :number, :kid, :public_key, :private_key, :sealed, :now, :signs_from)"
            " ON CONFLICT DO NOTHING RETURNING 1",
            {
                "tenant": self._tenant,
                "number": _next(keys),
                "kid": made.kid,
                "public_key": json.dumps(made.as_dict(private=False)),
                "private_key": None if sealed else private,
                "sealed": int(sealed),
                "now": self._clock(),
                "signs_from": signs_from,
            },
        )
        if sealed and not added:
            await self._hub.forget_secret(_place(str(made.kid)))
        return bool(added)

    async def _seal(self, key: SigningKey) -> None:
        """Nothing is emptied before its sealed copy was opened; who comes second does the same again."""
        assert key.private_key is not None
        await self._hub.put_secret(_place(key.kid), key.private_key)
        if await self._hub.secret(_place(key.kid)) == key.private_key:
            emptied = "UPDATE host_signing_keys SET private_key = NULL, sealed = 1"
            await self._database.run([(f"{emptied} {THIS}", self._this(key))])

    async def _forget(self, key: SigningKey, *, row: bool) -> None:
        """Forget the private half; with ``row``, all of it."""
        if key.sealed:
            await self._hub.forget_secret(_place(key.kid))
        statement = "UPDATE host_signing_keys SET private_key = NULL, sealed = 0"
        if row:
            statement = "DELETE FROM host_signing_keys"
        await self._database.run([(f"{statement} {THIS}", self._this(key))])

    def _this(self, key: SigningKey) -> Mapping[str, Any]:
        return {"tenant": self._tenant, "number": key.number, "kid": key.kid}


THIS = "WHERE tenant = :tenant AND number = :number AND kid = :kid"
SEALED = Problem(
    ("host", "vault_keys"),
    "is missing, and the key that signs for applications is sealed",
    "bring it back; where its keys are lost for good: connectors oidc key rotate --now",
)

SEALS_NOTHING = Problem(
    ("host", "vault_keys"),
    "is missing or not used, as there is no application; the key that signs is sealed, the next would not be",
    "use the configuration of the host for applications; where its keys are lost for good: rotate --now",
)


def _next(keys: Sequence[SigningKey]) -> int:
    return keys[-1].number + 1 if keys else 1


def _place(kid: str) -> str:
    return f"signing-key/{kid}"
