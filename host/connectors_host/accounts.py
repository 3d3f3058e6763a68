"""The people of this host: one row each, known to everything else by an owner id."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connectors_core.profile import Profile
from connectors_core.stores import Database

COLUMNS = ("name", "avatar", "email", "email_verified", "phone", "phone_verified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person. ``owner`` is the id that identities, sessions and tokens belong to."""

    owner: str
    name: str | None = None
    avatar: str | None = None
    email: str | None = None
    email_verified: bool | None = None
    phone: str | None = None
    phone_verified: bool | None = None
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
    """The normalised fields of a profile that say something."""
    fields = {name: getattr(profile, name) for name in COLUMNS}
    return {name: value for name, value in fields.items() if value is not None}


class Accounts:
    """The table ``host_accounts`` of one tenant."""

    def __init__(self, database: Database, *, clock: Callable[[], float], tenant: str = "default") -> None:
        self._database = database
        self._clock = clock
        self._tenant = tenant

    async def find(self, owner: str) -> Account | None:
        rows = await self._database.fetch(
            "SELECT name, avatar, email, email_verified, phone, phone_verified, created_at, updated_at"
            " FROM host_accounts WHERE tenant = :tenant AND owner = :owner",
            {"tenant": self._tenant, "owner": owner},
        )
        if not rows:
            return None
        name, avatar, email, email_verified, phone, phone_verified, created_at, updated_at = rows[0]
        return Account(
            owner=owner,
            name=name,
            avatar=avatar,
            email=email,
            email_verified=_flag(email_verified),
            phone=phone,
            phone_verified=_flag(phone_verified),
            created_at=created_at,
            updated_at=updated_at,
        )

    async def ensure(self, owner: str, profile: Profile) -> None:
        """Create the account of ``owner`` from ``profile``; one that is there stays as it is."""
        await self._database.run(
            [
                (
                    "INSERT INTO host_accounts (tenant, owner, name, avatar, email, email_verified,"
                    " phone, phone_verified, created_at, updated_at)"
                    " VALUES (:tenant, :owner, :name, :avatar, :email, :email_verified,"
                    " :phone, :phone_verified, :now, :now) ON CONFLICT (tenant, owner) DO NOTHING",
                    self._parameters(owner, profile),
                )
            ]
        )

    async def synchronise(self, owner: str, profile: Profile) -> None:
        """Take over what the provider says now; what it no longer says stays.

        An address and its flag go together.
        """
        await self._database.run(
            [
                (
                    "UPDATE host_accounts SET"
                    " name = COALESCE(:name, name), avatar = COALESCE(:avatar, avatar),"
                    " email_verified = CASE :email_given WHEN 1 THEN :email_verified ELSE email_verified END,"
                    " email = COALESCE(:email, email),"
                    " phone_verified = CASE :phone_given WHEN 1 THEN :phone_verified ELSE phone_verified END,"
                    " phone = COALESCE(:phone, phone), updated_at = :now"
                    " WHERE tenant = :tenant AND owner = :owner",
                    self._parameters(owner, profile)
                    | {"email_given": int(profile.email is not None)}
                    | {"phone_given": int(profile.phone is not None)},
                )
            ]
        )

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


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
