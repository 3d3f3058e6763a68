"""A client of the hub inside the application, with the methods that Logto's SDK has."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from connectors_core import (
    ConfigurationError,
    ConnectorEntry,
    ConnectorError,
    Hub,
    Problem,
    Purpose,
)
from connectors_core.errors import StateMismatch
from connectors_core.sync import Face

from .leaving import kept_hint, provider_sign_out
from .refusals import Refused
from .sealing import Sealer
from .settings import Connectors, secret_problems, signing_in
from .storage import MemoryStorage, Storage
from .users import Claims, User, owner_of, sealed_user, unsealed_user
from .waiting import OffLoop, ProcessHub, settle

if TYPE_CHECKING:
    from .settings import SignUp

SESSION = "connectors-session"
PENDING = "connectors-pending"

InteractionMode = Literal["signIn", "signUp"]


class Client:
    """Signs people in with the connectors of a hub, and keeps who is signed in in ``storage``.

    Behind it is a hub of its own, made of what ``Connectors`` takes and opened by each process at its
    first use; or ``hub``, synchronous or not, which the caller opens. ``secret`` (32 bytes or more) seals
    what is stored; of several the first seals and all open. ``sign_up`` and ``session_lifetime`` are
    those of ``Settings``. Every method may be called from any number of event loops, except with an
    asynchronous ``hub``, which belongs to one. Raises ConfigurationError with every mistake.

    Of several connectors each has a redirect URI of its own, whose last segment is the connector's id.
    """

    def __init__(
        self,
        *,
        secret: str | Sequence[str],
        storage: Storage | None = None,
        hub: Hub | Face | None = None,
        sign_up: bool | SignUp = True,
        session_lifetime: float = 86400.0,
        **connectors: Any,
    ) -> None:
        if problems := secret_problems(secret):
            raise ConfigurationError(problems)
        secrets = (secret,) if isinstance(secret, str) else tuple(secret)
        self._sealer = Sealer(secrets, audience="storage")
        self._storage = MemoryStorage() if storage is None else storage
        self._sign_up, self._lifetime = sign_up, session_lifetime
        if hub is not None and connectors:
            raise TypeError(f"a client of a given hub takes no {', '.join(connectors)}")
        self._made = Connectors(**connectors) if hub is None else None
        self._behind: Any = hub if self._made is None else ProcessHub(self._made)

    async def sign_in(
        self,
        redirect_uri: str,
        *,
        interaction_mode: InteractionMode | None = None,
        connector: str | None = None,
    ) -> str:
        """The URI to send the browser to. ``connector`` names one where there are several.

        ``interaction_mode`` is for compatibility: with a provider's own page there is no first screen to
        choose, and whether strangers may sign up is ``sign_up``. Raises ConfigurationError for a redirect
        URI that cannot be one, NotFound; what ``Hub.begin`` raises.
        """
        if interaction_mode not in (None, "signIn", "signUp"):
            raise ValueError("interaction_mode is signIn or signUp")
        entry = self._entry(connector)
        if not self._is_of(redirect_uri, entry.id):
            cure = f"end its path with /{entry.id}"
            problem = Problem(("redirect_uri",), "of several connectors each has one of its own", cure)
            raise ConfigurationError([problem])
        pending = await self._pending()
        started = await settle(
            (await self._hub()).begin(
                entry.id,
                redirect_uri=redirect_uri,
                binding=pending["binding"] if pending else None,
            )
        )
        kept = {"connector": entry.id, "binding": started.binding, "until": started.expires_at}
        await settle(self._storage.set(PENDING, self._sealer.seal(PENDING, kept)))
        return str(started.uri)

    async def handle_sign_in_callback(self, callback_uri: str) -> None:
        """Complete a sign-in by the whole address that the browser came back to; who was signed in before
        is replaced.

        Raises what ``Hub.complete`` raises, StateMismatch where this browser began no sign-in, and
        Refused (sign_up_closed); then nobody is signed in who was not before.
        """
        pending = await self._pending()
        if pending is None:
            raise StateMismatch("this browser has no pending sign-in")
        if not self._is_of(callback_uri, pending["connector"]):
            raise StateMismatch("this is not the redirect URI of the connector that the sign-in began with")
        hub = await self._hub()
        entry = self._entry(pending["connector"])
        completed = await settle(
            hub.complete(
                urlsplit(callback_uri).query,
                connector=entry.id,
                binding=pending["binding"],
                purposes=[Purpose.SIGN_IN],
            )
        )
        owner = await owner_of(hub, completed, self._sign_up)
        hint = await kept_hint(hub, entry, completed, lifetime=self._lifetime)
        user = User.signed_in(completed, owner=owner, now=self._now(), lifetime=self._lifetime, hint=hint)
        await settle(self._storage.delete(PENDING))
        await settle(self._storage.set(SESSION, sealed_user(self._sealer, SESSION, user)))

    async def sign_out(self, post_logout_redirect_uri: str | None = None) -> str:
        """Forget who is signed in, and return where to send the browser: to the provider's own sign-out,
        where it has one, else to ``post_logout_redirect_uri``. Nothing stays in the storage."""
        user = await self.user()
        await settle(self._storage.delete(PENDING))
        await settle(self._storage.delete(SESSION))
        onward = post_logout_redirect_uri or "/"
        entry = next((e for e in self._entries if user and e.id == user.connector), None)
        if user is None or entry is None:
            return onward
        try:
            hub = await self._hub()
        except ConnectorError:  # an outage must not keep anyone signed in
            return onward
        uri = await provider_sign_out(
            hub, entry, user.hint, post_logout_redirect_uri=post_logout_redirect_uri
        )
        return uri or onward

    async def user(self) -> User | None:
        """Who is signed in; None for nobody."""
        return self._opened(await settle(self._storage.get(SESSION)))

    def is_authenticated(self) -> bool:
        """Whether somebody is signed in. Raises TypeError where the storage is asynchronous: ``user``."""
        return self._user_now() is not None

    def get_id_token_claims(self) -> Claims:
        """The claims of who is signed in; ``sub`` is the application's own id of the person.

        Raises Refused (unauthenticated) for nobody; TypeError where the storage is asynchronous.
        """
        return Claims(**_somebody(self._user_now()).claims)

    async def get_access_token(
        self, target: str | None = None, *, scopes: str | Iterable[str] | None = None, min_ttl: float = 0.0
    ) -> str:
        """A provider's access token for who is signed in, refreshed where it is due.

        Without a ``target`` that of the connector they signed in with, which needs ``token_storage``.
        Raises Refused (unauthenticated), and what ``Hub.access_token`` raises.
        """
        user = _somebody(await self.user())
        hub = await self._hub()
        target = target or self._entry(user.connector).target
        token = await settle(hub.access_token(target, owner=user.owner, scopes=scopes, min_ttl=min_ttl))
        return str(token.access_token)

    # Logto's names

    async def signIn(self, redirectUri: str, interactionMode: InteractionMode | None = None) -> str:
        return await self.sign_in(redirectUri, interaction_mode=interactionMode)

    async def handleSignInCallback(self, callbackUri: str) -> None:
        await self.handle_sign_in_callback(callbackUri)

    async def signOut(self, postLogoutRedirectUri: str | None = None) -> str:
        return await self.sign_out(postLogoutRedirectUri)

    def isAuthenticated(self) -> bool:
        return self.is_authenticated()

    def getIdTokenClaims(self) -> Claims:
        return self.get_id_token_claims()

    async def getAccessToken(self, resource: str = "") -> str:
        return await self.get_access_token(resource or None)

    # What the above has in common

    async def _hub(self) -> Any:
        if isinstance(self._behind, ProcessHub):
            return OffLoop(await asyncio.to_thread(self._behind.get))
        return OffLoop(self._behind) if isinstance(self._behind, Face) else self._behind

    @property
    def _entries(self) -> tuple[ConnectorEntry, ...]:
        return self._made.entries if self._made else signing_in(self._behind)

    def _now(self) -> float:
        now: float = self._made.clock() if self._made else self._behind.now()
        return now

    def close(self) -> None:
        """Close the hub of this process, where it is the client's own; it is also closed at its exit."""
        if isinstance(self._behind, ProcessHub):
            self._behind.close()

    def _entry(self, connector: str | None) -> ConnectorEntry:
        if connector is None and len(self._entries) == 1:
            return self._entries[0]
        for entry in self._entries:
            if entry.id == connector:
                return entry
        names = ", ".join(entry.id for entry in self._entries)
        raise Refused("not_found", f"there is no connector of that id; there are {names}")

    def _is_of(self, uri: str, connector: str) -> bool:
        """Whether an address may be the redirect URI of a connector. RFC 9700 §4.4.2."""
        return len(self._entries) == 1 or unquote(urlsplit(uri).path.rpartition("/")[2]) == connector

    async def _pending(self) -> dict[str, Any] | None:
        text = await settle(self._storage.get(PENDING))
        pending = self._sealer.unseal(PENDING, text) if text else None
        return pending if pending and pending["until"] > self._now() else None

    def _user_now(self) -> User | None:
        text = self._storage.get(SESSION)
        if inspect.isawaitable(text):
            if inspect.iscoroutine(text):
                text.close()
            raise TypeError("the storage is asynchronous: await client.user()")
        return self._opened(text)

    def _opened(self, text: str | None) -> User | None:
        return unsealed_user(self._sealer, SESSION, text, now=self._now())


def _somebody(user: User | None) -> User:
    if user is None:
        raise Refused("unauthenticated")
    return user
