"""The hub's face for tokens that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, NotFound, NotLinked, Problem
from ..grants import GrantRef, GrantState, GrantStatus, InactiveReason, Occasion
from ..stores import Identity
from ..transaction import Purpose
from .entry import ConnectorEntry

if TYPE_CHECKING:
    from ..flow import Completed
    from .keeping import Keeping
    from .shared import Shared


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatus:
    """What is known, without a key, of the tokens of an identity.

    ``state`` is None where none are kept; ``reason`` says why a grant is inactive, which it also is
    while its connector is not there, or set up otherwise than when it was made. Not verified.
    """

    identity: Identity
    status: GrantStatus
    reason: InactiveReason | None = None
    state: GrantState | None = None


class TokenFace:
    """The part of a tenant's face that is about tokens."""

    _shared: Shared
    name: str

    async def save_tokens(self, completed: Completed, identity: Identity) -> GrantState | None:
        """Keep what was granted, where the connector stores tokens; None where nothing is kept.

        Where it is kept, ``select_token_store`` decides; without an answer, the vault. What is there
        already is merged with it: a sign-in narrows nothing, what a ``TOKENS`` authorization brought
        counts. Raises NotFound where ``identity`` is not the account that ``completed`` proves, or of
        another tenant; NotLinked where the identity is gone; KeyUnavailable, StorageError.
        """
        from .keeping import ref_of

        proved = (completed.tenant, completed.identity)
        if identity.tenant != self.name or proved != (identity.tenant, identity.key):
            raise NotFound("this authorization is not of that identity")
        entry = self._entry(completed.connector)
        if entry is None or not entry.settings.token_storage or not completed.tokens.access_token:
            return None
        store = self._keeping.store_of(identity)
        if store is None:
            return None
        occasion = Occasion.STEP_UP if completed.purpose is Purpose.TOKENS else Occasion.SIGN_IN
        now = self._shared.clock()
        state = await store.put(ref_of(entry, identity), completed.tokens, occasion=occasion, now=now)
        if not self._keeping.is_beside(store) and await self._owned(identity.id, identity.owner) is None:
            await store.remove(self.name, identity.id, now=now)
            raise NotLinked("the identity is gone")
        self._shared.tell("tokens.stored", self.name, identity, identity.owner, occasion=occasion.value)
        return state

    async def abandon(self, completed: Completed, *, after: float = 0.0) -> bool:
        """Have the provider told to forget what ``completed`` was granted; tell whether it will be.

        For a result that is not kept, or, with ``after`` seconds, may not be: when its time comes, a live
        grant of that account that is kept, whoever has it, keeps the provider from being told, because
        revoking may end both. False where the connector stores no tokens, for there what a sign-in
        brings is always let go, where a plugin or nobody keeps those of the account's owner, and where the
        provider has no way to be told. Raises NotFound, ConnectorMisconfigured, KeyUnavailable, StorageError.
        """
        entry = self._entry(completed.connector)
        if completed.tenant != self.name or entry is None:
            raise NotFound("this authorization was completed for another tenant or connector")
        return await self._keeping.abandon(entry, completed, after=after)

    async def remove(self, connector_id: str) -> int:
        """Take a connector out of this hub, and forget the tokens it was granted; return how many.

        Identities stay. The provider is told once, now, of what it is to revoke; afterwards this hub
        no longer knows how to. Tokens in a store that a plugin made itself are that store's.
        Raises NotFound, StorageError; then nothing is taken out.
        """
        if self._entry(connector_id) is None:
            raise NotFound("there is no connector of that id")
        keeping, shared = self._keeping, self._shared
        removed = await keeping.remove_connector(self.name, connector_id)
        while removed and len(await keeping.drain()) >= 100:
            pass
        if entry := shared.connectors.pop((self.name, connector_id), None):
            shared.targets.pop((self.name, entry.target), None)
        return removed

    async def token_states(self, owner: str) -> Sequence[TokenStatus]:
        """The status of the tokens of each identity of ``owner``, oldest first. Opens nothing."""
        identities = await self._shared.stores.identities.of_owner(self.name, owner)
        states = await self._keeping.states(identities)
        return [self._status(identity, states.get(identity.id)) for identity in identities]

    async def revoke_tokens(self, identity_id: str, *, owner: str) -> bool:
        """Forget the tokens of an identity of ``owner``, which stays linked, and have the provider told.

        Tells whether there were any. Raises StorageError.
        """
        identity = await self._owned(identity_id, owner)
        if identity is None:
            return False
        if not await self._keeping.remove(identity):
            return False
        self._shared.tell("tokens.removed", self.name, identity, owner)
        return True

    async def _owned(self, identity_id: str, owner: str) -> Identity | None:
        identity = await self._shared.stores.identities.get(self.name, identity_id)
        return identity if identity is not None and identity.owner == owner else None

    def _status(self, identity: Identity, state: GrantState | None) -> TokenStatus:
        if state is not None:
            status, reason = state.status(self._shared.clock()), state.reason
            if reason is None and self._is_changed(state.ref):
                status, reason = GrantStatus.INACTIVE, InactiveReason.CONNECTOR_CHANGED
        else:
            entry = self._entry(identity.connector)
            kept = entry is not None and entry.settings.token_storage and self._keeping.keeps(identity)
            status = GrantStatus.INACTIVE if kept else GrantStatus.NOT_APPLICABLE
            reason = InactiveReason.NOT_STORED if kept else None
        return TokenStatus(identity=identity, status=status, reason=reason, state=state)

    def _is_changed(self, ref: GrantRef) -> bool:
        """Tell whether the grant's connector is gone or set up otherwise, so that nothing of it is opened."""
        from ..access.held import is_of
        from .keeping import urls_of

        entry = self._entry(ref.connector)
        return entry is None or urls_of(entry.connector) != ref.urls or not is_of(ref, entry.connector)

    def _entry(self, connector_id: str) -> ConnectorEntry | None:
        return self._shared.connectors.get((self.name, connector_id))

    @property
    def _keeping(self) -> Keeping:
        return self._shared.kept()


def no_key(connector_id: str) -> Problem:
    return Problem(
        ("connectors", connector_id, "token_storage"),
        "tokens are to be stored, and there is no key to seal them by",
        "set vault_keys, or give the hub keys=Keyring.from_env() or Keyring.from_file(path); "
        "`connectors vault key new` makes a key",
    )


def check_keys(shared: Shared) -> None:
    """Raise ConfigurationError where some connector stores tokens and there is no key to seal them by."""
    if shared.keeping is None or shared.keeping.default is not None:
        return
    problems = [no_key(entry.id) for entry in shared.connectors.values() if entry.settings.token_storage]
    if problems:
        raise ConfigurationError(problems)
