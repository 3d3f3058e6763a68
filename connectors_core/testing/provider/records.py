"""Every request the provider saw, newest last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .messages import Request

MOST_RECORDS = 100_000


@dataclass(slots=True, kw_only=True)
class Recorded:
    """One request. ``parameters`` are those of query and form, the last of each name.

    ``endpoint`` is the provider's word for the path (``token``), empty for an unknown one.
    ``client_authentication`` is the method that was seen, None where none was looked for.
    ``status`` is 0 until an answer was made.
    """

    request: Request
    endpoint: str
    at: float
    parameters: Mapping[str, str] = field(default_factory=dict)
    client_id: str | None = None
    client_authentication: str | None = None
    status: int = 0

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers


class Requests:
    """The log. ``in_flight`` requests are being answered now, ``in_flight_most`` were at once."""

    def __init__(self) -> None:
        self._records: deque[Recorded] = deque(maxlen=MOST_RECORDS)
        self.in_flight = 0
        self.in_flight_most = 0

    def add(self, recorded: Recorded) -> None:
        self._records.append(recorded)

    def __iter__(self) -> Iterator[Recorded]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Recorded:
        return self._records[index]

    def of(self, endpoint: str, **parameters: str) -> list[Recorded]:
        """Requests to one endpoint with these parameters: ``of("token", grant_type="refresh_token")``."""
        return [
            recorded
            for recorded in self._records
            if recorded.endpoint == endpoint and parameters.items() <= recorded.parameters.items()
        ]

    def count(self, endpoint: str, **parameters: str) -> int:
        return len(self.of(endpoint, **parameters))

    def last(self, endpoint: str, **parameters: str) -> Recorded:
        """The newest of those. Raises LookupError when there was none."""
        found = self.of(endpoint, **parameters)
        if not found:
            raise LookupError(f"no request to {endpoint}")
        return found[-1]

    def clear(self) -> None:
        self._records.clear()
        self.in_flight_most = self.in_flight
