"""Which account a new identity belongs to. Decided here, never by a page or an application."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from connectors_core.connector import VouchesForAddresses
from connectors_core.errors import NotFound, VaultError
from connectors_core.flow import Completed
from connectors_core.hub import ConnectorEntry
from connectors_core.profile import Profile
from connectors_core.stores import Identity

from .accounts import Account, profile_fields, same_address
from .errors import HostError
from .extra_claims import KEPT, extra_of
from .following import renewed
from .hookspecs import Action
from .host import Host, signs_in
from .plugins import event_of
from .sessions import Session

RECENT = 600.0
"""Seconds for which a sign-in proves who sits there."""
VOUCHED = "email_vouched"
"""Kept with an identity: its connector vouched for the domain of the address that is kept with it."""

log = logging.getLogger("connectors_host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of an unknown identity: linked to ``owner``, asked for proof, or an account of its own."""

    owner: str | None = None
    ask: bool = False


def is_recent(host: Host, session: Session) -> bool:
    """Tell whether the provider said within the last ten minutes who the person of ``session`` is."""
    return host.clock() - session.authenticated_at <= RECENT


def require_recent(host: Host, session: Session) -> None:
    """Raise HostError (reauthentication_required) unless ``is_recent``."""
    if not is_recent(host, session):
        raise HostError("reauthentication_required", "the last sign-in is more than ten minutes ago")


def may_link(entry: ConnectorEntry) -> bool:
    """Tell whether identities of that connector may join an account that is there."""
    return entry.settings.enabled and entry.settings.linking != "never"


def linkable(host: Host, connector_id: str) -> ConnectorEntry:
    """The connector of that id, if its identities may be linked. Raises NotFound."""
    entry = host.hub.connector(connector_id)
    if not may_link(entry):
        raise NotFound("there is no connector of that id")
    return entry


def ways_in(host: Host) -> frozenset[str]:
    """The identity groups that one can sign in with: of enabled connectors with ``sign_in = true``."""
    return frozenset(entry.group for entry in host.hub.connectors() if signs_in(entry))


async def decide(host: Host, completed: Completed) -> Decision:
    """What becomes of an identity that nobody here has, by the connector's policy.

    An address that the provider does not call verified, or is not trusted for, is nobody's: it neither
    links nor asks, or whoever has some provider say that a stranger's address is theirs would learn
    whether there is an account.
    """
    entry, profile = host.hub.connector(completed.connector), completed.profile
    if not may_link(entry) or not profile.email or profile.email_verified is not True:
        return Decision()
    if not _trusted(entry, profile.email, vouched=_vouches(entry, completed)):
        return Decision()
    accounts = await host.accounts.with_address(profile.email)
    if not accounts:
        return Decision()
    if entry.settings.linking == "verified_email":
        proven = [account for account in accounts if await _has_proven(host, account)]
        if len(proven) == 1:
            return Decision(owner=proven[0].owner)
    return Decision(ask=True)


def matches(account: Account, profile: Profile) -> bool:
    """Tell whether ``decide`` may have asked for the way into ``account``."""
    return profile.email_verified is True and same_address(account.email, profile.email)


async def link_to(host: Host, completed: Completed, owner: str) -> Identity:
    """Link what ``completed`` proves to the account of ``owner``, and save its tokens.

    Raises NotFound where policy forbids it, IdentityAlreadyLinked where it is somebody else's,
    HostError where a plugin refuses or the account is gone. A key that cannot be reached links
    nonetheless: ``/account`` then says that no tokens are stored.
    """
    entry = linkable(host, completed.connector)
    admitted = await host.plugins.admit(event_of(completed, Action.LINK, target=entry.target, owner=owner))
    completed = replace(completed, profile=replace(completed.profile, **admitted.fields))
    identity = await keep_identity(host, completed, owner)
    await host.accounts.synchronise(owner, completed.profile, before={})
    if await host.accounts.find(owner) is None:
        await host.hub.unlink(identity.id, owner=owner)
        raise HostError("unauthenticated", headers={"WWW-Authenticate": "Session"})
    return identity


async def keep_identity(host: Host, completed: Completed, owner: str) -> Identity:
    """``hub.link``, where the tokens of a vault that is out of reach do not stand in the way."""
    try:
        return await host.hub.link(completed, owner=owner, profile=kept_fields(host, completed))
    except VaultError as error:
        log.warning("tokens of connector %s are not stored: %s", completed.connector, error.code)
        identity = await host.hub.find_identity(completed)
        if identity is None or identity.owner != owner:
            raise
        return identity


def kept_fields(
    host: Host, completed: Completed, *, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is kept with an identity that ``before`` was kept with, by the rules of ``following``.

    That its connector vouches for an address it says each time, or it is so no longer.
    """
    said, old = profile_fields(completed.profile), dict(before or {})
    if "email" in said:
        old.pop(VOUCHED, None)
        if _vouches(host.hub.connector(completed.connector), completed):
            said[VOUCHED] = True
    if extra := extra_of(host.hub.connector(completed.connector), completed.profile):
        said[KEPT] = {**(old.get(KEPT) or {}), **extra}
    return renewed(old, said)


async def unlink(host: Host, identity: Identity, *, but: Session | None = None) -> bool:
    """Unlink ``identity`` and tell whether it was there; ask ``require_recent`` before.

    What its owner signed in with through the connectors that share it ends with it, ``but`` excepted:
    whoever was let in by a link that is taken back is out again. Raises LastIdentity.
    """
    ways = ways_in(host)
    theirs = await host.hub.identities(identity.owner)
    if any(each.id != identity.id and each.group in ways for each in theirs):
        # Before it too: once the identity is gone nobody could ask again to be rid of who came in by it.
        await _end_sessions(host, identity, but)
    gone = await host.hub.unlink(identity.id, owner=identity.owner, keep_one_of=ways)
    if gone:
        await _end_sessions(host, identity, but)
    return gone


async def _end_sessions(host: Host, identity: Identity, but: Session | None) -> None:
    sharing = {entry.id for entry in host.hub.connectors() if entry.group == identity.group}
    for connector in sorted({identity.connector, *sharing}):
        await host.sessions.end_all(identity.owner, connector=connector, but=but)


def _domain(email: str | None) -> str:
    return (email or "").rpartition("@")[2].lower()


def _vouches(entry: ConnectorEntry, completed: Completed) -> bool:
    """Tell whether the connector knows its provider to be the authority of the address's domain."""
    if not isinstance(entry.connector, VouchesForAddresses):
        return False
    return _domain(completed.profile.email) in entry.connector.email_domains(completed.tokens)


def _trusted(entry: ConnectorEntry, email: str | None, *, vouched: bool) -> bool:
    """Tell whether the provider is trusted for the domain of the address.

    The operator's list says so. A connector that knows which domains its provider is the authority
    of narrows it, and stands for it where it is empty.
    """
    listed = _domain(email) in entry.settings.email_domains
    if isinstance(entry.connector, VouchesForAddresses):
        return vouched and (listed or not entry.settings.email_domains)
    return listed


async def _has_proven(host: Host, account: Account) -> bool:
    """Tell whether a provider that is trusted for its domain verified the address, and none denies it.

    Without this, whoever signs up first under somebody else's address, at a provider that calls verified
    what its users type, would receive their identities.
    """
    if account.email_verified is not True:
        return False
    theirs = [
        identity
        for identity in await host.hub.identities(account.owner)
        if same_address(identity.profile.get("email"), account.email)
    ]
    if any(identity.profile.get("email_verified") is False for identity in theirs):
        return False
    return any(
        identity.profile.get("email_verified") is True and _trusted_now(host, identity) for identity in theirs
    )


def _trusted_now(host: Host, identity: Identity) -> bool:
    """``_trusted`` of what is kept with an identity; a connector that is off or gone has no trust."""
    entry = next((each for each in host.hub.connectors() if each.id == identity.connector), None)
    if entry is None or not entry.settings.enabled:
        return False
    vouched = identity.profile.get(VOUCHED) is True
    return _trusted(entry, identity.profile.get("email"), vouched=vouched)
