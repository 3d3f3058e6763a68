"""Three of Google's APIs, called with a token and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

READ = "https://www.googleapis.com/auth/calendar.readonly"
WRITE = "https://www.googleapis.com/auth/calendar.events"
MAIL = "https://www.googleapis.com/auth/gmail.readonly"
FILES = "https://www.googleapis.com/auth/drive.metadata.readonly"

EVENTS_URL = "https://www.googleapis.com/calendar/v3/calendars/primary/events"
MESSAGES_URL = "https://gmail.googleapis.com/gmail/v1/users/me/messages"
FILES_URL = "https://www.googleapis.com/drive/v3/files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a list."""

    title: str
    note: str = ""


class GoogleApis:
    """``emulator`` is the origin that stands in for Google's, if one does."""

    def __init__(self, emulator: str | None = None) -> None:
        self._emulator = emulator
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)

    async def events(self, token: str, *, since: float) -> Sequence[Entry]:
        """The next five events of the calendar. Calendar API v3, Events: list."""
        begin = datetime.fromtimestamp(since, UTC).isoformat()
        query = {"timeMin": begin, "singleEvents": "true", "orderBy": "startTime", "maxResults": "5"}
        found = await self._call("GET", EVENTS_URL, token, params=query)
        return [Entry(title=each.get("summary", "(busy)"), note=_when(each)) for each in found["items"]]

    async def plan(self, token: str, *, summary: str, begin: float, minutes: int) -> None:
        """Put an event into the calendar. Calendar API v3, Events: insert."""
        start = datetime.fromtimestamp(begin, UTC)
        event = {
            "summary": summary,
            "start": {"dateTime": start.isoformat()},
            "end": {"dateTime": (start + timedelta(minutes=minutes)).isoformat()},
        }
        await self._call("POST", EVENTS_URL, token, json=event)

    async def messages(self, token: str) -> Sequence[Entry]:
        """The newest three messages. Gmail API v1, messages: list and get."""
        found = await self._call("GET", MESSAGES_URL, token, params={"maxResults": "3"})
        wanted = [("format", "metadata"), ("metadataHeaders", "Subject"), ("metadataHeaders", "From")]
        entries = []
        for each in found.get("messages", ()):
            message = await self._call("GET", f"{MESSAGES_URL}/{each['id']}", token, params=wanted)
            headers = {header["name"]: header["value"] for header in message["payload"]["headers"]}
            entries.append(Entry(title=headers.get("Subject", "(no subject)"), note=headers.get("From", "")))
        return entries

    async def files(self, token: str) -> Sequence[Entry]:
        """Three documents, by name alone. Drive API v3, files: list."""
        query = {"pageSize": "3", "fields": "files(name,mimeType)"}
        found = await self._call("GET", FILES_URL, token, params=query)
        return [Entry(title=each["name"]) for each in found["files"]]

    async def refreshes(self) -> int | None:
        """How often the emulator was asked to refresh; Google does not say."""
        if self._emulator is None:
            return None
        answer = await self._http.get(f"{self._emulator}/emulator")
        return int(answer.json()["refreshes"])

    async def _call(self, method: str, url: str, token: str, **sent: Any) -> Any:
        """Raises HTTPStatusError."""
        address = f"{self._emulator}{urlsplit(url).path}" if self._emulator else url
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self._http.request(method, address, headers=headers, **sent)
        return answer.raise_for_status().json()

    async def __aenter__(self) -> GoogleApis:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.aclose()


def _when(event: dict[str, Any]) -> str:
    start = event["start"]
    if "dateTime" not in start:
        return str(start["date"])
    return datetime.fromisoformat(start["dateTime"]).astimezone().strftime("%a %H:%M")
