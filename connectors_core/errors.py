"""Every exception that leaves this library.

::

    ConnectorError                       code, step
    ├── ConfigurationError               problems: what is wrong, where, and the cure
    ├── NotFound                         no such connector or connector type
    ├── ConnectorMisconfigured           the operator must act
    ├── ConnectorFault                   a connector raised something that is not ours
    ├── TransportError                   no usable answer
    │   ├── NotSent                      the request cannot have been processed
    │   │   └── AddressRefused           the address guard said no
    │   ├── AnswerLost                   the request may have been processed
    │   └── AnswerTooLarge
    ├── ProviderError                    an answer that says no, or says nothing we may use
    │   ├── ProviderUnavailable          overloaded or down: status, retry_after
    │   ├── InvalidResponse
    │   ├── DiscoveryRejected
    │   ├── InvalidTokenResponse
    │   ├── TokenEndpointError           error, status
    │   │   └── InvalidGrant
    │   ├── IdTokenRejected              claim, expected, actual
    │   │   └── LogoutTokenRejected
    │   ├── UserinfoMismatch
    │   └── ProfileInvalid
    ├── AuthorizationError               the error answer of the authorization endpoint
    │   ├── AccessDenied
    │   ├── LoginRequired
    │   ├── ConsentRequired
    │   ├── InteractionRequired
    │   ├── InvalidScope
    │   └── AuthorizationUnavailable
    ├── CallbackRejected                 the callback is not an answer to our request
    │   ├── InvalidCallback
    │   ├── StateMismatch
    │   ├── TransactionExpired
    │   ├── TransactionConsumed
    │   ├── IssuerMismatch
    │   └── OwnerMismatch
    ├── IdentityAlreadyLinked            the external account belongs to another owner
    ├── LastIdentity                     without this identity its owner could not sign in any more
    ├── GrantError                       a stored grant cannot serve the call
    │   ├── NotLinked
    │   ├── IdentityAmbiguous            identities
    │   ├── TokenLivesTooShort           lifetime
    │   ├── ScopeRequired                missing, granted
    │   ├── ReauthorizationRequired      reason
    │   └── TemporarilyUnavailable       retry_after
    ├── VaultError                       what is sealed stays closed
    │   ├── KeyUnavailable               try again
    │   ├── UnknownKey                   the operator must bring the key
    │   └── SealBroken                   changed, moved or truncated: nothing of it is used
    └── StorageError

A class exists where a caller acts differently. ``code`` is stable and documented in
``docs/errors.md``; ``step`` says where it happened. No message holds a token, code, verifier,
state or secret: messages name what failed, what was expected and what came, and the last only
where it is public.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

MAX_PROVIDER_TEXT = 256
"""Characters kept of any text that a provider chose."""


class Step(StrEnum):
    """Where in the life of a connector something happened."""

    CONFIGURATION = "configuration"
    NETWORK = "network"
    DISCOVERY = "discovery"
    KEYS = "keys"
    CLIENT_AUTHENTICATION = "client_authentication"
    AUTHORIZATION_REQUEST = "authorization_request"
    CALLBACK = "callback"
    TOKEN_EXCHANGE = "token_exchange"
    ID_TOKEN = "id_token"
    USERINFO = "userinfo"
    PROFILE = "profile"
    LINKING = "linking"
    STORAGE = "storage"
    REFRESH = "refresh"
    REVOCATION = "revocation"


def provider_text(text: object, *, secrets: Iterable[str | None] = ()) -> str:
    """Return text that a provider chose, fit to be shown: printable, cut, without our secrets.

    ``secrets`` are the values of the request that was answered; a provider that echoes its input
    ("code abc is unknown") would otherwise put them into messages and logs.
    """
    cleaned = "".join(c if c.isprintable() else " " for c in str(text))
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        cleaned = cleaned.replace(secret, "[redacted]")
    return cleaned[:MAX_PROVIDER_TEXT]


class ConnectorError(Exception):
    """The root: anything this library raises on purpose.

    ``code`` is a stable word for programs, ``step`` says where it happened, ``connector`` is the
    connector id once the flow knows it, ``data`` what the host gave to ``begin``, once the callback
    has proved to be the answer to it.
    """

    code: str = "provider_error"
    step: Step = Step.CONFIGURATION
    connector: str | None = None
    data: Mapping[str, Any] | None = None

    def __init__(self, message: str, *, step: Step | None = None) -> None:
        super().__init__(message)
        if step is not None:
            self.step = step


_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration: where it stands, what is wrong, how it is mended.

    ``path`` leads through the document (``("connectors", "acme", "config", "clientId")``).
    ``cure`` may be empty where the message says it all. Never holds the value itself.
    """

    path: tuple[str, ...]
    message: str
    cure: str = ""
    source: str = ""

    def __str__(self) -> str:
        place = ".".join(part if _BARE_KEY.fullmatch(part) else repr(part) for part in self.path)
        where = ": ".join(part for part in (self.source, place) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({self.cure})" if self.cure else text


class ConfigurationError(ConnectorError):
    """A configuration that cannot be used; ``problems`` lists every mistake, not the first."""

    code = "invalid_configuration"
    step = Step.CONFIGURATION

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotFound(ConnectorError):
    """No connector or connector type goes by that name."""

    code = "not_found"
    step = Step.CONFIGURATION


class ConnectorMisconfigured(ConnectorError):
    """The provider or the plugin cannot work as configured; the operator must act."""

    code = "connector_misconfigured"
    step = Step.CONFIGURATION


class ConnectorFault(ConnectorError):
    """A connector raised something that is not ours; the message says what and where, not its text."""

    code = "connector_misconfigured"


class TransportError(ConnectorError):
    """No usable answer came back."""

    code = "provider_unavailable"
    step = Step.NETWORK


class NotSent(TransportError):
    """The request cannot have been processed: refused connection, DNS, TLS, full pool."""


class AddressRefused(NotSent):
    """The address guard refused the destination; ``private_hosts`` is the way to allow it."""

    code = "connector_misconfigured"


class AnswerLost(TransportError):
    """The request went out and no whole answer came back: it may have been processed."""


class AnswerTooLarge(TransportError):
    """The answer was cut off at the byte cap (after decoding)."""

    code = "provider_error"


class ProviderError(ConnectorError):
    """The provider answered, and the answer cannot be used."""

    code = "provider_error"


UNAVAILABLE = frozenset({429, 502, 503, 504})
"""Statuses of a provider that is overloaded or down, whatever else it says."""


class ProviderUnavailable(ProviderError):
    """The provider is overloaded or down and says so; ``retry_after`` is in seconds where it told."""

    code = "provider_unavailable"

    def __init__(self, message: str, *, status: int, retry_after: float | None, step: Step) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(message, step=step)


class InvalidResponse(ProviderError):
    """An answer that is not what the specification says; ``step`` tells which."""


class DiscoveryRejected(ProviderError):
    """The provider's metadata is missing, malformed or of another issuer."""

    step = Step.DISCOVERY


class InvalidTokenResponse(ProviderError):
    """The token endpoint's success answer breaks RFC 6749 §5.1."""

    code = "invalid_token_response"
    step = Step.TOKEN_EXCHANGE


class TokenEndpointError(ProviderError):
    """The token endpoint said no. ``error`` is its code, ``status`` the HTTP status. RFC 6749 §5.2."""

    step = Step.TOKEN_EXCHANGE

    def __init__(
        self,
        error: str,
        *,
        status: int,
        error_description: str = "",
        retry_after: float | None = None,
        step: Step | None = None,
    ) -> None:
        self.error = error
        self.error_description = error_description
        self.status = status
        self.retry_after = retry_after
        if status in UNAVAILABLE:
            self.code = "provider_unavailable"
        super().__init__(f"the token endpoint answered {error} (status {status})", step=step)


class InvalidGrant(TokenEndpointError):
    """The code or refresh token is not (or no longer) good. RFC 6749 §5.2."""


class IdTokenRejected(ProviderError):
    """An ID token that fails a check. ``claim`` names it; secrets among the values are left out."""

    code = "id_token_invalid"
    step = Step.ID_TOKEN
    token: ClassVar[str] = "ID token"

    def __init__(self, claim: str, *, expected: str, actual: str) -> None:
        self.claim = claim
        self.expected = expected
        self.actual = actual
        super().__init__(f"the {self.token}'s {claim}: expected {expected}, got {actual}")


class LogoutTokenRejected(IdTokenRejected):
    """A logout token that fails a check: nobody is signed out by it. Back-Channel Logout 1.0 §2.6."""

    code = "logout_token_invalid"
    token = "logout token"


class UserinfoMismatch(ProviderError):
    """Userinfo is about another subject than the ID token. OpenID Connect Core §5.3.2."""

    code = "userinfo_mismatch"
    step = Step.USERINFO


class ProfileInvalid(ProviderError):
    """No usable profile can be made of the provider's answer, most often for want of an id."""

    code = "profile_invalid"
    step = Step.PROFILE


class AuthorizationError(ConnectorError):
    """The authorization endpoint answered with an error. RFC 6749 §4.1.2.1.

    Raised only after the state was found valid, so ``error_description`` may be shown, as text.
    """

    step = Step.CALLBACK

    def __init__(self, error: str, *, error_description: str = "") -> None:
        self.error = error
        self.error_description = error_description
        super().__init__(f"the provider answered {error}")


class AccessDenied(AuthorizationError):
    """The person, or a policy of the provider, said no."""

    code = "access_denied"


class LoginRequired(AuthorizationError):
    """``prompt=none`` and the person is not signed in at the provider. OpenID Connect Core §3.1.2.6."""

    code = "login_required"


class ConsentRequired(AuthorizationError):
    """``prompt=none`` and consent is missing."""

    code = "consent_required"


class InteractionRequired(AuthorizationError):
    """``prompt=none`` and the provider must show a page."""

    code = "interaction_required"


class InvalidScope(AuthorizationError):
    """The provider does not know, or does not grant this client, a scope that was asked for."""

    code = "invalid_scope"


class AuthorizationUnavailable(AuthorizationError):
    """The provider is overloaded or down, in its own words: ``temporarily_unavailable``, ``server_error``."""

    code = "provider_unavailable"


class CallbackRejected(ConnectorError):
    """A callback that is not the answer to a request of ours."""

    code = "invalid_request"
    step = Step.CALLBACK


class InvalidCallback(CallbackRejected):
    """Malformed: parameters missing, repeated, or neither code nor error."""


class StateMismatch(CallbackRejected):
    """The state is unknown, or belongs to another browser or connector."""

    code = "state_mismatch"


class TransactionExpired(CallbackRejected):
    """The person took longer than the transaction lives."""

    code = "transaction_expired"


class TransactionConsumed(CallbackRejected):
    """This callback was used before."""

    code = "transaction_consumed"


class IssuerMismatch(CallbackRejected):
    """The callback's ``iss`` is not the issuer asked, or is missing though announced. RFC 9207 §2.4."""

    code = "issuer_mismatch"


class OwnerMismatch(CallbackRejected):
    """An authorization begun for one owner was completed by another, or by nobody."""

    code = "owner_mismatch"


class IdentityAlreadyLinked(ConnectorError):
    """The external account is linked to another owner; nothing was changed."""

    code = "identity_already_linked"
    step = Step.LINKING


class LastIdentity(ConnectorError):
    """The identity is the owner's last way in; it stays."""

    code = "last_identity"
    step = Step.LINKING


class GrantError(ConnectorError):
    """A stored grant cannot serve the call."""

    code = "token_not_found"
    step = Step.REFRESH


class NotLinked(GrantError):
    """The owner has no such identity, or no tokens are kept for it."""


class IdentityAmbiguous(GrantError):
    """The owner has several identities of the target; ``identities`` are their ids, one must be named."""

    code = "identity_ambiguous"
    step = Step.LINKING

    def __init__(self, identities: Iterable[str]) -> None:
        self.identities = tuple(identities)
        super().__init__(f"there are {len(self.identities)} identities of this target; name one")


class TokenLivesTooShort(GrantError):
    """No token of the provider lives as long as was asked for; ``lifetime`` is what one lives, in seconds."""

    code = "invalid_request"

    def __init__(self, *, lifetime: float) -> None:
        self.lifetime = lifetime
        super().__init__(f"the provider's access tokens live {lifetime:.0f} s, and more was asked for")


class ScopeRequired(GrantError):
    """The grant lacks scopes. ``missing`` is what to ask for, ``granted`` what is there."""

    code = "scope_required"

    def __init__(self, *, missing: Iterable[str], granted: Iterable[str]) -> None:
        self.missing = frozenset(missing)
        self.granted = frozenset(granted)
        super().__init__(f"scopes missing: {' '.join(sorted(self.missing))}")


class ReauthorizationRequired(GrantError):
    """The provider must be asked again; ``reason`` is from the closed list in ``docs/errors.md``."""

    code = "reauthorization_required"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"a new authorization is needed: {reason}")


class TemporarilyUnavailable(GrantError):
    """The provider cannot be asked now, or has not answered; ``retry_after`` is in seconds."""

    code = "temporarily_unavailable"

    def __init__(self, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(f"the provider cannot be asked now; try again in {retry_after:.0f} s")


class VaultError(ConnectorError):
    """Something sealed cannot be opened, or nothing can be sealed."""

    code = "key_unavailable"
    step = Step.STORAGE


class KeyUnavailable(VaultError):
    """The key cannot be reached now: a key service that does not answer. Nothing was changed."""


class UnknownKey(VaultError):
    """A row names a key that this installation does not have, or must not use any more."""


class SealBroken(VaultError):
    """What was sealed does not open, or not to what stands beside it: it was changed, moved or cut."""

    code = "seal_broken"


class StorageError(ConnectorError):
    """The database cannot be used as it is."""

    code = "temporarily_unavailable"
    step = Step.STORAGE
