"""``connectors vault``: the keys, and what they seal."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import ConnectorError
from .output import complain, plural, print_document, print_table, say
from .progress import ProgressBar
from .vault_session import Session, opened

if TYPE_CHECKING:
    from ..grants import KeyHealth
    from ..vault.opening import HostKeys
    from ..vault.rewrap import Progress

MOST_LISTED = 100
"""Unreadable rows that are listed; ``--json`` lists a thousand."""


class VaultCommand:
    help = "show and change the vault's keys, move rows under the active one, open every row"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--vault", metavar="NAME", help="one that a plugin names; else the hub's own")
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        def add(name: str, text: str, **options: Any) -> argparse.ArgumentParser:
            return actions.add_parser(name, help=text, description=text, allow_abbrev=False, **options)

        for name, text in (
            ("status", "keys, their states, how many rows need each, and which hosts have them"),
            ("rewrap", "wrap every row by the active key, beside running hosts; start again if interrupted"),
            ("verify", "open every row by the active key alone"),
        ):
            add(name, text).add_argument("--json", action="store_true", help="print one JSON document")
        key = add("key", "make, announce, promote, retire and destroy keys")
        changes = key.add_subparsers(dest="change", required=True, metavar="CHANGE")
        for name, text in (
            ("new", "make a key where the keys are kept; it stands by"),
            ("add", "announce a key that was brought here, or take back a retired one; it stands by"),
            ("promote", "wrap by a key that stands by, once every live host has it"),
            ("retire", "never wrap by a key again; it still opens"),
            ("destroy", "forget a retired key that nothing needs, or one that is lost"),
        ):
            change = changes.add_parser(name, help=text, description=text, allow_abbrev=False)
            change.add_argument("kid", metavar="KEY", nargs="?" if name == "new" else None, help="its name")
            if name == "new":
                change.add_argument(
                    "--lost", action="store_true", help="also where the active key is not here any more"
                )
            if name == "destroy":
                change.add_argument(
                    "--lost",
                    action="store_true",
                    help="also where rows need it: no host has it any more, and its tokens are lost",
                )
            if name == "add":
                change.add_argument(
                    "--from",
                    dest="source",
                    metavar="SOURCE",
                    help="where it is now (file:PATH, env:NAME), to bring it into the database",
                )

    def run(self, arguments: argparse.Namespace) -> int:
        return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    async with opened(arguments) as session:
        if arguments.action == "key":
            from .vault_keys import change_key

            return await change_key(session, arguments)
        actions: dict[str, Callable[[Session, bool], Any]] = {
            "status": _status,
            "rewrap": _rewrap,
            "verify": _verify,
        }
        code: int = await actions[arguments.action](session, arguments.json)
        return code


async def _status(session: Session, json: bool) -> int:
    rows, hosts = await session.rows.kids(), await session.hosts.all()
    known, ages = await session.changes.keys(), await session.changes.ages()
    trouble, health = "", {}
    try:
        keys = await session.load()
        health = {found.kid: await _checked(session, keys, found) for found in await keys.health()}
    except ConnectorError as error:
        trouble = str(error)
    keys_told: list[dict[str, Any]] = []
    for kid in [*known, *(kid for kid in {**rows, **health} if kid not in known)]:
        row, found = known.get(kid), health.get(kid)
        keys_told.append(
            {
                "kid": kid,
                "state": row.state.value if row else _without_row(session, kid, rows),
                "rows": rows.get(kid, 0),
                "usable": found.usable if found else False,
                "detail": found.detail if found else "",
                "hosts": sum(host.live and kid in host.kids for host in hosts),
                "wrapped_by": row.wrapped_by if row else None,
                "age": round(ages[kid]) if kid in ages else None,
            }
        )
    if json:
        hosts_told = [
            {"host": host.name, "kids": sorted(host.kids), "age": round(host.age), "live": host.live}
            for host in hosts
        ]
        others = [name for name in session.others if name]
        print_document({"keys": keys_told, "hosts": hosts_told, "problem": trouble, "other_vaults": others})
    else:
        _print_keys(keys_told, live=sum(host.live for host in hosts))
        if session.others:
            names = ", ".join(f"--vault {name}" if name else "the hub's own" for name in session.others)
            complain(f"there are other vaults, with keys of their own: {names}")
    if trouble:
        complain(f"error: {trouble}")
    lost = [told["kid"] for told in keys_told if not told["usable"] and (told["rows"] or told["detail"])]
    if lost and not trouble:
        complain(f"error: keys that are needed cannot be used here: {', '.join(lost)}")
    return 1 if trouble or lost else 0


async def _checked(session: Session, keys: HostKeys, found: KeyHealth) -> KeyHealth:
    """What the key is found to be, compared with what the database knows by its name."""
    row = (await session.changes.keys()).get(found.kid)
    if not found.usable or row is None or row.state.value == "destroyed":
        return found
    if await session.states.is_right(keys, row):
        return found
    return replace(found, usable=False, detail="not the key that this database knows by that name")


def _without_row(session: Session, kid: str, rows: Mapping[str, int]) -> str:
    """What a key is that no host has announced."""
    if kid in rows:
        return "missing"
    return "root" if session.source.kind == "stored" else "new"


def _print_keys(told: Sequence[dict[str, Any]], *, live: int) -> None:
    if not told:
        say("no key is known yet; the first host that starts announces its own")
        return
    table = [
        (
            key["kid"],
            key["state"],
            f"{key['rows']:,}",
            "yes" if key["usable"] else "no",
            f"{key['hosts']} of {live}",
            key["detail"] or (f"wrapped by {key['wrapped_by']}" if key["wrapped_by"] else ""),
        )
        for key in told
    ]
    print_table(("key", "state", "rows", "usable here", "live hosts", "detail"), table)


async def _rewrap(session: Session, json: bool) -> int:
    from ..vault.rewrap import rewrap

    keys = await session.open()
    to = await session.active()
    roots = await session.rewrap_roots(keys)
    bar = ProgressBar(f"rewrap -> {to}")
    progress = await rewrap(
        session.rows,
        keys,
        to=to,
        workers=session.workers,
        settle=session.settled,
        still=lambda: session.check_active(to),
        tell=lambda now: bar.show(now.done, now.total),
    )
    bar.close(progress.done, progress.total)
    if json:
        print_document(
            {
                "kid": to,
                "rewrapped": progress.done,
                "overtaken": progress.overtaken,
                "keys_rewrapped": roots,
                **_unreadable(progress),
            }
        )
    else:
        told = [f"{plural(progress.done, 'row')} rewrapped"]
        if progress.overtaken:
            told.append(f"{progress.overtaken:,} times a host was faster")
        if roots:
            told.append(f"{plural(len(roots), 'key')} put under another root")
        say(f"{to}: {', '.join(told)}")
        _print_unreadable(progress)
    return 1 if progress.unreadable else 0


async def _verify(session: Session, json: bool) -> int:
    from ..vault.rewrap import verify

    keys = await session.open()
    kid = await session.active()
    bar = ProgressBar(f"verify {kid}")
    progress = await verify(
        session.rows,
        keys,
        kid=kid,
        workers=session.workers,
        tell=lambda now: bar.show(now.done + now.elsewhere + now.unreadable, now.total),
    )
    bar.close(progress.done + progress.elsewhere + progress.unreadable, progress.total)
    if json:
        print_document(
            {"kid": kid, "opened": progress.done, "elsewhere": progress.elsewhere, **_unreadable(progress)}
        )
    else:
        say(f"{kid}: {plural(progress.done, 'row')} opened")
        if progress.elsewhere:
            complain(
                f"error: {plural(progress.elsewhere, 'row')} under another key; run: connectors vault rewrap"
            )
        _print_unreadable(progress)
    return 1 if progress.unreadable or progress.elsewhere else 0


def _unreadable(progress: Progress) -> dict[str, Any]:
    return {
        "unreadable": progress.unreadable,
        "unreadable_rows": [
            {"table": place.table, "tenant": place.tenant, "id": place.id} for place in progress.places
        ],
        "unknown_keys": progress.unknown,
    }


def _print_unreadable(progress: Progress) -> None:
    if not progress.unreadable:
        return
    complain(f"error: {plural(progress.unreadable, 'row')} that no key here opens")
    for kid, count in progress.unknown.items():
        complain(f"  {plural(count, 'row')} under the key {kid}, which is not here")
    for place in progress.places[:MOST_LISTED]:
        complain(f"  {place.table} {place.tenant} {place.id}")
    if len(progress.places) > MOST_LISTED:
        complain("  and more; --json lists a thousand")
