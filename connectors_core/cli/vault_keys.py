"""``connectors vault key``: changes of keys."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Container
from pathlib import Path

from ..errors import ConnectorError, VaultError
from .output import complain, say
from .vault_session import Session

NEXT = "next, once every host has it: connectors vault key promote {kid}"


async def change_key(session: Session, arguments: argparse.Namespace) -> int:
    kid = arguments.kid
    match arguments.change:
        case "new":
            await _new(session, kid, lost=arguments.lost)
        case "add" if arguments.source:
            await _bring_in(session, kid, arguments.source)
        case "add":
            await _add(session, kid)
        case "promote":
            keys = await session.announce()
            if kid in await session.changes.keys() and kid not in keys.kids():
                raise VaultError(f"there is no key {kid} in {session.source.reference}")
            await session.changes.promote(kid)
            say(f"{kid} is active; every host wraps by it within 30 s")
            say("next: connectors vault rewrap")
        case "retire":
            await session.changes.retire(kid)
            say(f"{kid} is retired; it still opens, and backups from before need it")
        case "destroy":
            if arguments.lost:
                await _check_lost(session, kid)
                await session.changes.give_up(kid)
            else:
                await session.changes.destroy(kid)
            await _discard(session, kid)
            say(f"{kid} is destroyed; what only it opens cannot be read again")
    return 0


async def _new(session: Session, kid: str | None, *, lost: bool) -> None:
    from ..vault.key_files import key_pair
    from ..vault.keyring import Keyring
    from ..vault.opening import new_kid
    from ..vault.providers.stored import StoredKeys
    from ..vault.record import KEY_BYTES

    now = time.time()
    kid = kid or new_kid(now)
    if kid in await session.changes.keys():
        raise VaultError(f"there is a key {kid} already")
    key = os.urandom(KEY_BYTES)
    keyring = Keyring({kid: key})
    if session.source.kind == "direct":
        raise VaultError("keys of a service are made there; name the new one after the first in vault_keys")
    if session.source.kind == "held":
        # What the environment holds is not ours to write: this output is the only copy.
        say(key_pair(kid, key))
        complain(f"add that to {session.source.reference} on every host, restart them one by one, then run:")
        complain(f"connectors vault key promote {kid}")
        return
    if session.source.kind == "stored":
        keys = await session.load()
        assert isinstance(keys.provider, StoredKeys)
        await keys.provider.create(kid, now=now, key=key)
        where = "in the database; every host takes it up within 30 s"
    else:
        kept = await asyncio.to_thread(_kept, session)
        if not lost:
            await _check_complete(session, kept)
        if kept:
            # The keys that are there are known first: the oldest wraps, the new one waits.
            await session.announce()
        where = await asyncio.to_thread(_append, session, kid, key)
        await session.states.add(keyring, kid, now=now)
    say(f"made the key {kid} {where}")
    active = await session.active()
    say(f"{kid} is active, as the first there is" if active == kid else NEXT.format(kid=kid))


async def _check_complete(session: Session, kept: Container[str]) -> None:
    """Raise VaultError where the active key is not among those that are kept here."""
    for row in (await session.changes.keys()).values():
        if row.state == "active" and row.kid not in kept:
            raise VaultError(
                f"the key {row.kid}, which is active, is not in {session.source.reference}: bring it back;"
                " if it is lost for good: connectors vault key new --lost"
            )


async def _add(session: Session, kid: str) -> None:
    if kid not in (await session.load()).kids():
        raise VaultError(f"there is no key {kid} in {session.source.reference}")
    keys = await session.announce()
    assert kid in keys.kids()
    taken_back = await session.changes.stand_by(kid)
    state = (await session.changes.keys())[kid].state
    say(f"{kid} was taken back and stands by" if taken_back else f"{kid} is known and {state}")
    say(NEXT.format(kid=kid))


async def _bring_in(session: Session, kid: str, reference: str) -> None:
    from ..vault.key_states import CHECK_CONTEXT, CHECK_VALUE
    from ..vault.keyring import Keyring
    from ..vault.providers.stored import StoredKeys

    keys = await session.load()
    if not isinstance(keys.provider, StoredKeys):
        raise VaultError("--from brings a key into the database, which is where a key service keeps them")
    key = (await asyncio.to_thread(_raw_keys, reference, session.folder)).get(kid)
    if key is None:
        raise VaultError(f"there is no key {kid} in {reference}")
    keyring = Keyring({kid: key})
    row = (await session.changes.keys()).get(kid)
    if row is None:
        await keys.provider.create(kid, now=time.time(), key=key)
    else:
        if await keyring.unwrap(row.check_value, kid=kid, context=CHECK_CONTEXT) != CHECK_VALUE:
            raise VaultError(f"the key {kid} is not the one that this database knows by that name")
        if not await session.changes.adopt(kid, *await keys.provider.wrapped(kid, key)):
            raise VaultError(f"the key {kid} lies in the database already, or was destroyed")
    say(f"the key {kid} lies in the database now; {reference} is not needed for it any more")


async def _check_lost(session: Session, kid: str) -> None:
    try:
        here = (await session.load()).kids()
    except ConnectorError:
        return  # No key at all, or a service that is gone: that is how keys are lost.
    if kid in here:
        raise VaultError(
            f"the key {kid} is not lost: {session.source.reference} has it;"
            " retire and destroy it, or take it out there first"
        )


async def _discard(session: Session, kid: str) -> None:
    """Take a destroyed key out of what commands of ours write."""
    if session.source.kind in ("file", "keyring"):
        text = await asyncio.to_thread(_remove, session, kid)
        if text:
            say(text)
    elif session.source.kind == "held":
        complain(f"take {kid} out of {session.source.reference} on every host")


def _append(session: Session, kid: str, key: bytes) -> str:
    from ..vault.key_files import key_set

    keys = _kept(session)
    if kid in keys:
        raise VaultError(f"there is a key {kid} in {session.source.reference} already")
    _keep(session, key_set({**keys, kid: key}))
    copy = "; copy it to every other host" if session.source.kind == "file" else ""
    return f"in {session.source.reference}{copy}"


def _remove(session: Session, kid: str) -> str:
    from ..vault.key_files import key_set

    keys = _kept(session)
    if kid not in keys or len(keys) == 1:
        return ""
    _keep(session, key_set({name: key for name, key in keys.items() if name != kid}))
    return f"taken out of {session.source.reference}; other hosts and backups may still have it"


def _kept(session: Session) -> dict[str, bytes]:
    return _raw_keys(session.source.reference, session.folder, missing_is_empty=True)


def _raw_keys(reference: str, folder: Path, *, missing_is_empty: bool = False) -> dict[str, bytes]:
    from ..vault.keyring import read_key_file, read_keys

    scheme, _, name = reference.partition(":")
    if scheme == "file":
        path = folder / Path(name).expanduser()
        return {} if missing_is_empty and not path.exists() else read_keys(read_key_file(path))
    if scheme == "env":
        return read_keys(os.environ.get(name, ""))
    if scheme == "keyring":
        from ..vault.providers.os_keyring import find_in_os_keyring

        text = find_in_os_keyring(name)
        return read_keys(text) if text else {}
    raise VaultError(f"keys cannot be taken out of {scheme}:")


def _keep(session: Session, text: str) -> None:
    from ..vault.key_files import write_privately
    from ..vault.providers.os_keyring import write_os_keyring

    _, _, name = session.source.reference.partition(":")
    if session.source.kind == "file":
        write_privately(session.folder / Path(name).expanduser(), text)
    else:
        write_os_keyring(name, text)
