"""What providers say of a person, and what an account and its identities take over of it.

- A field of the account follows one identity: of those that say what stands there, the one linked first.
- What is no longer said stays, and so does what the person edited.
- An address and the word on whether it is verified go together. Silence about the same address takes
  no word back; a new address has only the word that comes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors_core.stores import Identity

FIELDS = ("name", "avatar", "email", "phone")
WORDS = {"email": "email_verified", "phone": "phone_verified"}
"""The word on each address."""


def followed(identity: Identity, identities: Sequence[Identity]) -> dict[str, Any]:
    """What ``identity`` said last of the fields in which its account follows it.

    ``identities`` are all of the account, the oldest first.
    """
    fields = {}
    for name in FIELDS:
        value = identity.profile.get(name)
        first = next((each for each in identities if each.profile.get(name) == value), identity)
        if value is not None and first.id == identity.id:
            fields[name] = value
    return fields


def renewed(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept with an identity that said ``before`` and now says ``said``."""
    stale = {word for name, word in WORDS.items() if name in said and said[name] != before.get(name)}
    return {name: value for name, value in before.items() if name not in stale} | dict(said)


def _follows(name: str) -> str:
    return (
        f"(' ' || edited || ' ' NOT LIKE :edited_{name} AND CAST(:{name} AS TEXT) IS NOT NULL"
        f" AND ({name} IS NULL OR {name} = CAST(:was_{name} AS TEXT)))"
    )


def _assignments() -> Iterator[str]:
    for name in FIELDS:
        yield f"{name} = CASE WHEN {_follows(name)} THEN CAST(:{name} AS TEXT) ELSE {name} END"
    for name, word in WORDS.items():
        stays = f"CAST(:{word} AS SMALLINT) IS NULL AND {name} = CAST(:{name} AS TEXT)"
        yield (
            f"{word} = CASE WHEN {_follows(name)} AND NOT ({stays})"
            f" THEN CAST(:{word} AS SMALLINT) ELSE {word} END"
        )


SYNCHRONISE = (
    f"UPDATE host_accounts SET {', '.join(_assignments())}, updated_at = :now"  # noqa: S608
    " WHERE tenant = :tenant AND owner = :owner"
)
"""``:was_…`` is what ``followed`` says, ``:edited_…`` the field's name between ``%`` and spaces."""
