"""``connectors tokens``: what is known of the tokens that are kept, never a token."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import NotFound, VaultError
from .output import complain, print_document, print_table, say
from .vault_session import OWN, opened_rows

if TYPE_CHECKING:
    from ..grants import GrantState, SealedRowStore

    Rows = Mapping[str, SealedRowStore]

PAGE = 500
DEFAULT_TENANT = "default"


class Tokens:
    help = "list, show and revoke stored tokens; shows metadata and status, never a token"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        def add(name: str, text: str) -> argparse.ArgumentParser:
            return actions.add_parser(name, help=text, description=text, allow_abbrev=False)

        listed = add("list", "list the token sets that are stored; needs no key")
        listed.add_argument("--target", help="only those of one target")
        listed.add_argument("--json", action="store_true", help="print one JSON document")
        shown = add("show", "show what is known of an owner's tokens at a target; needs no key")
        shown.add_argument("--json", action="store_true", help="print one JSON document")
        revoked = add("revoke", "forget an owner's tokens at a target, and tell the provider")
        for action in (shown, revoked):
            action.add_argument("owner", metavar="OWNER")
            action.add_argument("target", metavar="TARGET")
        revoked.add_argument("--identity", metavar="ID", help="which one, where there are several")

    def run(self, arguments: argparse.Namespace) -> int:
        actions = {"list": _list, "show": _show, "revoke": _revoke}
        return asyncio.run(actions[arguments.action](arguments))


async def _list(arguments: argparse.Namespace) -> int:
    now = time.time()
    async with opened_rows(arguments) as rows:
        told = [_told(state, vault, now) async for vault, state in _all(rows, arguments.target)]
    if arguments.json:
        print_document({"tokens": told})
    elif told:
        names = ["owner", "target", "status", "reason", "scopes", "expires_at", "updated_at"]
        names += ["vault"] if len(rows) > 1 else []
        heads = [name.removesuffix("_at") for name in names]
        print_table(heads, [[_text(each[name]) for name in names] for each in told])
    else:
        complain("no tokens are stored" + (f" for {arguments.target}" if arguments.target else ""))
    return 0


async def _show(arguments: argparse.Namespace) -> int:
    async with opened_rows(arguments) as rows:
        found = await _of(rows, arguments.owner, arguments.target)
    told = [_told(state, vault, time.time()) for vault, state in found]
    if arguments.json:
        print_document({"tokens": told})
        return 0
    for number, each in enumerate(told):
        if number:
            say("")
        for name, value in each.items():
            say(f"{name:22} {_text(value)}")
    return 0


async def _revoke(arguments: argparse.Namespace) -> int:
    from ..hub import Hub
    from ..vault.vault import TOKENS

    async with opened_rows(arguments) as rows:
        found = await _of(rows, arguments.owner, arguments.target)
        if arguments.identity:
            found = [each for each in found if each[1].ref.identity == arguments.identity]
        identities = sorted({state.ref.identity for _, state in found})
        if len(identities) != 1:
            ids = f" ({', '.join(identities)}); choose with --identity" if identities else ""
            complain(f"error: {len(identities)} identities match{ids}")
            return 1
        [identity] = identities
        with redirect_stdout(sys.stderr):  # a plugin may print while it is imported
            hub = Hub.from_config(arguments.config)
        if any(entry.settings.token_storage for entry in hub.connectors()):
            async with hub:
                if await hub.revoke_tokens(identity, owner=arguments.owner):
                    outcomes = [each.outcome.value for each in await hub.drain_revocations()]
                    say("forgotten" + (f"; providers told: {', '.join(outcomes)}" if outcomes else ""))
                    return 0
        # Nobody is left who could tell the provider.
        for vault, _ in found:
            await rows[vault].delete(DEFAULT_TENANT, identity, kind=TOKENS, now=time.time())
    say("forgotten; the provider was not told: no connector stores tokens any more, or the account is gone")
    return 0


async def _all(rows: Rows, target: str | None) -> AsyncIterator[tuple[str, GrantState]]:
    from ..vault.vault import TOKENS

    for vault, its in rows.items():
        listed = getattr(its, "listed", None)
        if listed is None:
            raise VaultError("this plugin's store of sealed rows cannot list; connectors tokens show can")
        after = ("", "")
        while page := await listed(DEFAULT_TENANT, kind=TOKENS, target=target, after=after, most=PAGE):
            for state in page:
                yield vault, state
            after = (page[-1].ref.owner, page[-1].ref.identity)


async def _of(rows: Rows, owner: str, target: str) -> list[tuple[str, GrantState]]:
    from ..vault.vault import TOKENS

    found = [
        (vault, state)
        for vault, its in rows.items()
        for state in await its.states(DEFAULT_TENANT, owner, kind=TOKENS)
        if state.ref.target == target
    ]
    if not found:
        raise NotFound(f"no tokens of {owner} are stored for {target}")
    return found


def _told(state: GrantState, vault: str, now: float) -> dict[str, Any]:
    """What may be shown of a grant; read without a key, so as true as the database."""
    return {
        "owner": state.ref.owner,
        "target": state.ref.target,
        "identity": state.ref.identity,
        "connector": state.ref.connector,
        "issuer": state.ref.issuer,
        "status": state.status(now).value,
        "reason": state.reason.value if state.reason else None,
        "scopes": sorted(state.scopes),
        "scopes_stated": state.scopes_stated,
        "requested": sorted(state.requested),
        "token_type": state.token_type,
        "has_refresh_token": state.has_refresh_token,
        "expires_at": _time(state.expires_at),
        "refresh_expires_at": _time(state.refresh_expires_at),
        "created_at": _time(state.created_at),
        "updated_at": _time(state.updated_at),
        "used_at": _time(state.used_at),
        "retry_at": _time(state.retry_at),
        "failures": state.failures,
        "generation": state.generation,
        "key": state.kid,
        "vault": None if vault == OWN else vault,
    }


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return " ".join(value) or "-"
    return str(value)


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "beyond the calendar"
