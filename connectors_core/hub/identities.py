"""The hub's face for linked identities."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import IdentityAlreadyLinked, LastIdentity, NotFound
from ..stores import Identity
from .entry import ConnectorEntry
from .tokens import TokenFace

if TYPE_CHECKING:
    from ..flow import Completed


class IdentityFace(TokenFace):
    """The part of a tenant's face that is about identities."""

    async def find_identity(self, completed: Completed) -> Identity | None:
        """The linked identity that ``completed`` proves, whoever owns it."""
        group = self._entry_completed(completed).group
        return await self._shared.stores.identities.find(self.name, group, completed.identity)

    async def link(
        self, completed: Completed, *, owner: str, profile: Mapping[str, Any] | None = None
    ) -> Identity:
        """Link the external account to ``owner``, and save its tokens; linking it again is no harm.

        ``profile`` are the fields to keep with it. Raises IdentityAlreadyLinked where it belongs to
        another owner; what ``save_tokens`` raises, and then it is linked all the same.
        """
        import uuid

        entry, now = self._entry_completed(completed), self._shared.clock()
        wanted = Identity(
            tenant=self.name,
            id=f"identity_{uuid.uuid4().hex}",
            owner=owner,
            connector=entry.id,
            target=entry.target,
            group=entry.group,
            key=completed.identity,
            profile=dict(profile or {}),
            created_at=now,
            updated_at=now,
        )
        kept = await self._shared.stores.identities.add(wanted)
        if kept.owner != owner:
            raise IdentityAlreadyLinked("this account is linked to somebody else")
        if kept.id == wanted.id:
            self._shared.tell("identity.linked", self.name, kept, owner)
        await self.save_tokens(completed, kept)
        return kept

    async def identities(self, owner: str) -> Sequence[Identity]:
        """The linked identities of ``owner``, oldest first."""
        return await self._shared.stores.identities.of_owner(self.name, owner)

    async def update_identity_profile(
        self, identity_id: str, profile: Mapping[str, Any], *, owner: str
    ) -> bool:
        """Replace the fields kept with an identity of ``owner``; tell whether it is theirs."""
        if await self._owned(identity_id, owner) is None:
            return False
        now = self._shared.clock()
        await self._shared.stores.identities.update_profile(self.name, identity_id, profile, now=now)
        return True

    async def unlink(
        self, identity_id: str, *, owner: str, keep_one_of: Collection[str] | None = None
    ) -> bool:
        """Forget an identity of ``owner`` and its tokens; tell whether it was there and theirs.

        The provider is told that the tokens are to be forgotten, later if it does not answer now.
        ``keep_one_of`` are the groups of the connectors that one can sign in with: raises LastIdentity
        unless the owner keeps another identity in one of them. Of several that are unlinked at once
        one then stays; it may have lost its tokens.
        """
        identity = await self._owned(identity_id, owner)
        if identity is None:
            return False
        stores = self._shared.stores
        if keep_one_of is not None:
            theirs = await stores.identities.of_owner(self.name, owner)
            if not any(other.id != identity_id and other.group in keep_one_of for other in theirs):
                raise LastIdentity("this is the last way to sign in")
        await self.revoke_tokens(identity_id, owner=owner)
        if not await stores.identities.remove(self.name, identity_id, keep_one_of=keep_one_of):
            if await self._owned(identity_id, owner) is not None:
                raise LastIdentity("this is the last way to sign in")
            return False
        # Once more: what a sign-in kept meanwhile, where it does not go with the identity.
        await self._keeping.remove(identity)
        self._shared.tell("identity.unlinked", self.name, identity, owner)
        return True

    def _entry_completed(self, completed: Completed) -> ConnectorEntry:
        entry = self._entry(completed.connector)
        if completed.tenant != self.name or entry is None:
            raise NotFound("this authorization was completed for another tenant or connector")
        return entry
