"""Client secrets for Apple's token endpoint: short-lived tokens that the client signs itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors_core.oauth2 import SigningKey, sign_jwt

AUDIENCE = "https://appleid.apple.com"
LIFETIME = 86400
"""Seconds a client secret is good for; Apple allows six months."""
RENEWED = 3600
"""Seconds before its end at which a new one is made."""


@dataclass(slots=True)
class ClientSecret:
    """The client secret of the day, made when the first is asked for and anew shortly before it ends."""

    client_id: str
    team_id: str
    key: SigningKey = field(repr=False)
    _value: str = field(default="", repr=False)
    _expires_at: float = 0.0

    def at(self, now: float) -> str:
        """The secret to use; ``now`` is in seconds since the epoch. Raises ConfigurationError."""
        if now > self._expires_at - RENEWED:
            issued = int(now)
            claims = {"iss": self.team_id, "sub": self.client_id, "aud": AUDIENCE, "iat": issued}
            self._value = sign_jwt({**claims, "exp": issued + LIFETIME}, self.key)
            self._expires_at = issued + LIFETIME
        return self._value
