"""The people of this host: one row each, known to everything else by an owner id."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors_core.profile import Profile
from connectors_core.stores import Database, Row

from .following import FIELDS, SYNCHRONISE

COLUMNS = ("name", "avatar", "email", "email_verified", "phone", "phone_verified")
"""The normalised fields of a profile."""
HINTS = ("hd",)
"""What else of a provider's answer names the account, to ask for the same one again (Google's domain)."""
EDITABLE = ("name", "avatar")
"""What a person may write here; an address would have to be verified first."""
THEIRS = ("host_sessions", "host_bearers", "host_grants", "host_verification_records", "host_accounts")
"""The tables that go with a person, the account's own last."""
UNFINISHED = 60.0
"""Seconds after the begin of a deletion, after which nobody is about to finish it."""
MAX_FIELD = 200
"""Characters of the longest field that a person writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person. ``owner`` is the id that identities, sessions and tokens belong to.

    ``edited`` are the fields that the person wrote; no provider changes them.
    """

    owner: str
    name: str | None = None
    avatar: str | None = None
    email: str | None = None
    email_verified: bool | None = None
    phone: str | None = None
    phone_verified: bool | None = None
    edited: frozenset[str] = frozenset()
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def label(self) -> str:
        """What to call the person on a page."""
        return self.name or self.email or self.phone or self.owner

    def claims(self) -> dict[str, Any]:
        """The person in the words of OpenID Connect Core §5.1; what is not known is left out."""
        claims = {
            "sub": self.owner,
            "name": self.name,
            "picture": self.avatar,
            "email": self.email,
            "email_verified": self.email_verified,
            "phone_number": self.phone,
            "phone_number_verified": self.phone_verified,
        }
        return {name: value for name, value in claims.items() if value is not None}


def new_owner() -> str:
    """An owner id that was never given out: 128 random bits."""
    return f"user_{secrets.token_hex(16)}"


def profile_fields(profile: Profile) -> dict[str, Any]:
    """What is kept with an identity: the normalised fields that say something, and ``HINTS``."""
    fields = {name: getattr(profile, name) for name in COLUMNS}
    hints = {name: profile.raw.get(name) for name in HINTS}
    said = {name: value for name, value in hints.items() if value and isinstance(value, str)}
    return {name: value for name, value in fields.items() if value is not None} | said


SELECT = (
    "SELECT owner, name, avatar, email, email_verified, phone, phone_verified, edited, created_at, updated_at"
    " FROM host_accounts"
)


class Accounts:
    """The table ``host_accounts`` of one tenant."""

    def __init__(self, database: Database, *, clock: Callable[[], float], tenant: str = "default") -> None:
        self._database = database
        self._clock = clock
        self._tenant = tenant

    async def find(self, owner: str) -> Account | None:
        rows = await self._database.fetch(
            f"{SELECT} WHERE tenant = :tenant AND owner = :owner",
            {"tenant": self._tenant, "owner": owner},
        )
        return _account(rows[0]) if rows else None

    async def with_address(self, email: str) -> list[Account]:
        """The accounts of that address, verified or not. Only the case of ASCII letters is ignored.

        Others have no safe folding: some letters that look or fold alike are other mailboxes.
        """
        if not email.isascii():
            return []
        rows = await self._database.fetch(
            f"{SELECT} WHERE tenant = :tenant AND lower(email) = :email ORDER BY created_at, owner",
            {"tenant": self._tenant, "email": email.lower()},
        )
        return [account for account in map(_account, rows) if same_address(account.email, email)]

    async def ensure(self, owner: str, profile: Profile) -> bool:
        """Create the account of ``owner`` from ``profile``, and tell so; one that is there stays as it is."""
        made = await self._database.fetch(
            "INSERT INTO host_accounts (tenant, owner, name, avatar, email, email_verified,"
            " phone, phone_verified, created_at, updated_at)"
            " VALUES (:tenant, :owner, :name, :avatar, :email, :email_verified,"
            " :phone, :phone_verified, :now, :now) ON CONFLICT (tenant, owner) DO NOTHING RETURNING 1",
            self._parameters(owner, profile),
        )
        return bool(made)

    async def synchronise(self, owner: str, profile: Profile, *, before: Mapping[str, Any]) -> None:
        """Take over what the provider says now, by the rules of ``following``.

        ``before`` is what the same identity said last, where the account follows it (``followed``).
        """
        parameters = self._parameters(owner, profile)
        for name in FIELDS:
            parameters |= {f"was_{name}": before.get(name), f"edited_{name}": f"% {name} %"}
        await self._database.run([(SYNCHRONISE, parameters)])

    async def edit(self, owner: str, fields: Mapping[str, str]) -> None:
        """Write fields of ``EDITABLE`` as the person wants them, an empty one as unknown.

        Raises ValueError for another field, one that is too long, or one that is not plain text.
        """
        for name, value in fields.items():
            if name not in EDITABLE or len(value) > MAX_FIELD or not value.isprintable():
                raise ValueError(name)
            await self._database.run(
                [
                    (
                        f"UPDATE host_accounts SET {name} = :value, updated_at = :now,"  # noqa: S608
                        " edited = CASE WHEN ' ' || edited || ' ' LIKE :pattern THEN edited"
                        " ELSE edited || ' ' || :name END"
                        " WHERE tenant = :tenant AND owner = :owner",
                        {
                            "tenant": self._tenant,
                            "owner": owner,
                            "name": name,
                            "value": value.strip() or None,
                            "pattern": f"% {name} %",
                            "now": self._clock(),
                        },
                    )
                ]
            )

    async def remove(self, owner: str) -> None:
        """Forget the account and all that is the person's with it, in one step."""
        key = {"tenant": self._tenant, "owner": owner}
        await self._database.run(
            [
                (f"DELETE FROM {table} WHERE tenant = :tenant AND owner = :owner", key)  # noqa: S608
                for table in THEIRS
            ]
        )

    async def leave(self, owner: str) -> None:
        """Remember that the deletion of ``owner`` began, for when it is cut short."""
        await self._database.fetch(
            "UPDATE host_accounts SET leaving_at = :now WHERE tenant = :tenant AND owner = :owner",
            {"tenant": self._tenant, "owner": owner, "now": self._clock()},
        )

    async def left_over(self) -> list[str]:
        """Whose deletion began and was cut short."""
        rows = await self._database.fetch(
            "SELECT owner FROM host_accounts WHERE tenant = :tenant AND leaving_at <= :before",
            {"tenant": self._tenant, "before": self._clock() - UNFINISHED},
        )
        return [owner for (owner,) in rows]

    async def count(self) -> int:
        rows = await self._database.fetch(
            "SELECT COUNT(*) FROM host_accounts WHERE tenant = :tenant", {"tenant": self._tenant}
        )
        return int(rows[0][0])

    def _parameters(self, owner: str, profile: Profile) -> dict[str, Any]:
        values = {name: getattr(profile, name) for name in COLUMNS}
        for flag in ("email_verified", "phone_verified"):
            values[flag] = None if values[flag] is None else int(values[flag])
        return values | {"tenant": self._tenant, "owner": owner, "now": self._clock()}


def same_address(one: str | None, other: str | None) -> bool:
    """Tell whether two addresses are of one mailbox, as far as that is safe to say."""
    if not one or not other or not one.isascii() or not other.isascii():
        return False
    return one.lower() == other.lower()


def _account(row: Row) -> Account:
    owner, name, avatar, email, email_verified, phone, phone_verified, edited, created, updated = row
    return Account(
        owner=owner,
        name=name,
        avatar=avatar,
        email=email,
        email_verified=_flag(email_verified),
        phone=phone,
        phone_verified=_flag(phone_verified),
        edited=frozenset(edited.split()),
        created_at=created,
        updated_at=updated,
    )


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
