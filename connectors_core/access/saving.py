"""What becomes of a new pair: it is stored, for as long as that may still be done."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace

from ..connector import Revokes
from ..errors import KeyUnavailable, NotLinked, StorageError
from ..grants import GrantState, Lease, Occasion, StoredGrant
from ..merge import merge
from ..tokens import TokenSet
from .classify import code_of
from .flight import Flight, Surroundings
from .held import Held
from .storable import storable

log = logging.getLogger("connectors_core.access")

MOST_STRANGE = 5
"""Commits that may fail with what is neither the storage's nor the key's, and so does not pass by itself."""


@dataclass(frozen=True, slots=True)
class Saving:
    """The end of a refresh that was answered. ``state`` is the grant as it was before."""

    flight: Flight
    lease: Lease
    state: GrantState
    around: Surroundings

    @property
    def held(self) -> Held:
        return self.flight.held

    async def keep(self, new: TokenSet) -> StoredGrant:
        """Commit, for as long as it may still be done: nobody else has this refresh token."""
        held, lease, around = self.held, self.lease, self.around
        pause, longest = around.timing.commit_retry
        new, left_out = storable(new)
        if left_out:
            connector = held.connector.connector_id
            log.error("connector %s: a token answer holds what cannot be stored: %s", connector, left_out)
        give_up_at, strange = around.uptime() + around.timing.commit_patience, 0
        while True:
            try:
                state = await held.store.commit(lease, new, now=around.clock())
                break
            except Exception as error:
                self._serve_unsaved(new, error)
                strange += not isinstance(error, StorageError | KeyUnavailable)
                if strange >= MOST_STRANGE or around.uptime() >= give_up_at:
                    await self._give_up(error)
                    raise
            await around.sleep(pause * (0.5 + around.draw()))
            pause = min(2 * pause, longest)
        if state is not None:
            around.tell("token.refreshed", held, generation=state.generation)
            tokens = merge(lease.tokens, new, occasion=Occasion.REFRESH, now=around.clock())
            if state.generation > lease.generation + 1:
                # It met a sign-in: the state tells what both together cover.
                tokens = replace(
                    tokens,
                    requested=state.requested,
                    scopes=state.scopes,
                    scopes_stated=state.scopes_stated,
                    effective=None if state.effective == state.scopes else state.effective,
                )
            return StoredGrant(state=state, tokens=tokens)
        stored = await held.store.open(held.tenant, held.identity)
        if stored is None:
            # Unlinked meanwhile: nobody will ever use this pair.
            await self._revoke(new)
            raise NotLinked("the identity was unlinked during the refresh")
        if stored.tokens.access_token == new.access_token:
            # A commit that seemed to fail had been done.
            around.tell("token.refreshed", held, generation=stored.state.generation)
        return stored

    async def _give_up(self, error: Exception) -> None:
        """The pair is lost with this process; what is stored may have been used up."""
        log.error(
            "connector %s: a refreshed token could not be stored (%s); it is given up",
            self.held.connector.connector_id,
            type(error).__name__,
        )
        with suppress(Exception):
            await self.held.store.fail(self.lease, uncertain=True, now=self.around.clock())

    def _serve_unsaved(self, new: TokenSet, error: Exception) -> None:
        """Let those who wait have the token; told once."""
        answer = self.flight.answer
        if answer.done():
            return
        log.error(
            "connector %s: a refreshed token cannot be stored (%s); it is kept in memory and tried again",
            self.held.connector.connector_id,
            type(error).__name__,
        )
        self.around.tell("token.unsaved", self.held, error=code_of(error))
        tokens = merge(self.lease.tokens, new, occasion=Occasion.REFRESH, now=self.around.clock())
        state = replace(self.state, generation=self.lease.generation + 1, updated_at=self.around.clock())
        answer.set_result(StoredGrant(state=state.describing(tokens), tokens=tokens))

    async def _revoke(self, new: TokenSet) -> None:
        """Unless another set of the grant is kept, as after linking again: it could go with this one."""
        connector = self.held.connector
        if not isinstance(connector, Revokes) or connector.revocation == "none":
            return
        serves_elsewhere = getattr(self.held.store, "serves_elsewhere", None)
        try:
            if serves_elsewhere is not None and await serves_elsewhere(self.lease.ref):
                return
            await connector.revoke(new)
        except Exception as error:
            log.warning(
                "connector %s: a pair nobody needs could not be revoked (%s)",
                connector.connector_id,
                type(error).__name__,
            )
