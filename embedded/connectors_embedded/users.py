"""Who is signed in, and whose an external account is."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors_core.errors import IdentityAlreadyLinked, VaultError
from connectors_core.profile import Profile

from .refusals import Refused
from .sealing import Sealer
from .waiting import settle

if TYPE_CHECKING:
    from connectors_core.flow import Completed
    from connectors_core.stores import Identity

    from .settings import SignUp

log = logging.getLogger("connectors_embedded")

MAX_OWNER = 255
"""Characters of the longest owner id that an application may choose."""
MAX_SESSION = 2300
"""Characters of the longest sealed session."""
MAX_CLAIM = {"name": 256, "picture": 1024, "email": 320, "phone_number": 64}
"""Characters of the longest value that is kept; a longer name is cut, others are left out."""
_LEAST_NEEDED = ("picture", "phone_number", "name", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A signed-in person. Times in seconds since the epoch.

    ``owner`` is the application's own id of the person, the one that the hub's methods take. ``claims``
    are ``sub`` (the owner), ``name``, ``picture``, ``email``, ``email_verified``, ``phone_number`` and
    ``phone_number_verified``, as far as ``connector`` told them at sign-in.
    """

    owner: str
    connector: str
    claims: Mapping[str, Any]
    signed_in_at: float
    expires_at: float
    hint: str = field(default="", repr=False)
    """Names the ID token that the provider's sign-out wants."""

    @classmethod
    def signed_in(
        cls, completed: Completed, *, owner: str, now: float, lifetime: float, hint: str = ""
    ) -> User:
        """The user that ``completed`` proves, for ``lifetime`` seconds from ``now``."""
        return cls(
            owner=owner,
            connector=completed.connector,
            claims=claims_of(completed.profile, owner),
            signed_in_at=now,
            expires_at=now + lifetime,
            hint=hint,
        )

    @property
    def name(self) -> str | None:
        return self.claims.get("name")

    @property
    def picture(self) -> str | None:
        return self.claims.get("picture")

    @property
    def email(self) -> str | None:
        return self.claims.get("email")

    @property
    def email_verified(self) -> bool:
        """Whether the provider says so. An owner is never looked up by an address, verified or not."""
        return self.claims.get("email_verified") is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of a signed-in person as attributes; what the provider did not tell is None."""

    sub: str
    name: str | None = None
    picture: str | None = None
    email: str | None = None
    email_verified: bool | None = None
    phone_number: str | None = None
    phone_number_verified: bool | None = None


def claims_of(profile: Profile, owner: str) -> dict[str, Any]:
    """The OpenID Connect standard claims that a session carries."""
    told = {
        "name": (profile.name or "")[: MAX_CLAIM["name"]],
        "picture": profile.avatar,
        "email": profile.email,
        "phone_number": profile.phone,
    }
    claims: dict[str, Any] = {"sub": owner}
    for name, value in told.items():
        if value and len(value) <= MAX_CLAIM[name]:
            claims[name] = value.encode("utf-8", "replace").decode()
    for name, verified in (("email", profile.email_verified), ("phone_number", profile.phone_verified)):
        if name in claims:
            claims[f"{name}_verified"] = verified is True
    return claims


def sealed_user(sealer: Sealer, use: str, user: User) -> str:
    """``user`` as a cookie holds it; what makes it too long is left out, the least needed first."""
    claims = dict(user.claims)
    for name in ("", *_LEAST_NEEDED):
        claims.pop(name, None)
        claims.pop(f"{name}_verified", None)
        content = {"connector": user.connector, "claims": claims, "hint": user.hint}
        sealed = sealer.seal(use, content | {"from": user.signed_in_at, "until": user.expires_at})
        if len(sealed) <= MAX_SESSION:
            break
    return sealed


def unsealed_user(sealer: Sealer, use: str, text: str | None, *, now: float) -> User | None:
    """The user that was sealed, unless that is over or was changed."""
    held = sealer.unseal(use, text) if text else None
    if held is None or held["until"] <= now:
        return None
    return User(
        owner=held["claims"]["sub"],
        connector=held["connector"],
        claims=held["claims"],
        signed_in_at=held["from"],
        expires_at=held["until"],
        hint=held["hint"],
    )


async def owner_of(hub: Any, completed: Completed, sign_up: bool | SignUp) -> str:
    """Whose the account is; that of a new owner where nobody has it and ``sign_up`` agrees.

    Of two first sign-ins at once one decides whose it is. Raises Refused (sign_up_closed), and what
    ``find_identity``, ``link`` and ``save_tokens`` raise.
    """
    identity: Identity | None = await settle(hub.find_identity(completed))
    if identity is None:
        return await _new_owner(hub, completed, sign_up)
    entry = await settle(hub.connector(completed.connector))
    if entry.settings.sync_profile == "sign_in":
        kept = claims_of(completed.profile, identity.owner)
        await settle(hub.update_identity_profile(identity.id, kept, owner=identity.owner))
    try:
        await settle(hub.save_tokens(completed, identity))
    except VaultError as error:
        log.warning("tokens of connector %s are not stored: %s", completed.connector, error.code)
    return identity.owner


async def _new_owner(hub: Any, completed: Completed, sign_up: bool | SignUp) -> str:
    wanted = await settle(sign_up(completed)) if callable(sign_up) else sign_up
    if not wanted:
        raise Refused("sign_up_closed", "this person is not known here")
    owner = wanted if isinstance(wanted, str) else f"user_{secrets.token_hex(16)}"
    if len(owner) > MAX_OWNER:
        raise ValueError(f"sign_up gave an owner id of more than {MAX_OWNER} characters")
    try:
        await settle(hub.link(completed, owner=owner, profile=claims_of(completed.profile, owner)))
    except VaultError as error:  # it is linked all the same
        log.warning("tokens of connector %s are not stored: %s", completed.connector, error.code)
    except IdentityAlreadyLinked:
        winner = await settle(hub.find_identity(completed))
        if winner is None:
            raise Refused("temporarily_unavailable", "the account was unlinked meanwhile") from None
        return str(winner.owner)
    return owner
