"""Who has an account at the emulated Google, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors_core.testing.provider import Person


@dataclass(slots=True, kw_only=True)
class Account:
    """One person's calendar, mail and documents, as Google's APIs show them."""

    person: Person
    events: list[dict[str, Any]] = field(default_factory=list)
    messages: tuple[dict[str, Any], ...] = ()
    files: tuple[dict[str, Any], ...] = ()


def accounts(now: float, origin: str) -> dict[str, Account]:
    """Fresh accounts by subject; their days begin at ``now``, in seconds since the epoch."""
    made = (
        _account("1104711", "Alice", now, origin, hd="example.org"),
        _account("1104712", "Bob", now, origin),
        _account("1104713", "Carol", now, origin),
    )
    return {account.person.sub: account for account in made}


def _account(sub: str, name: str, now: float, origin: str, **claims: str) -> Account:
    domain = claims.get("hd", "gmail.example")
    described = {
        "name": f"{name} Example",
        "given_name": name,
        "family_name": "Example",
        "picture": f"{origin}/avatar/{sub}.svg",
        "email": f"{name.lower()}@{domain}",
        "email_verified": True,
        **claims,
    }
    days = (("Stand-up", 1, 15), ("Lunch with the design group", 3, 60), ("Review of the quarter", 5, 45))
    return Account(
        person=Person(sub=sub, claims=described),
        events=[
            event(f"{number}", summary, *_slot(now, hours, minutes))
            for number, (summary, hours, minutes) in enumerate(days, 1)
        ],
        messages=tuple(
            _message(f"{sub}-{number}", subject, sender)
            for number, (subject, sender) in enumerate(
                (
                    ("Agenda for the review", "Bob Example <bob@gmail.example>"),
                    ("Room 4 is booked", "Facilities <rooms@example.org>"),
                    ("Figures, corrected", "Carol Example <carol@gmail.example>"),
                ),
                1,
            )
        ),
        files=tuple(
            {
                "kind": "drive#file",
                "id": f"{sub}-{number}",
                "name": title,
                "mimeType": f"{_GOOGLE_APPS}.{kind}",
            }
            for number, (title, kind) in enumerate(
                (
                    ("Review of the quarter", "presentation"),
                    ("Figures", "spreadsheet"),
                    ("Notes of last time", "document"),
                ),
                1,
            )
        ),
    )


_GOOGLE_APPS = "application/vnd.google-apps"


def event(number: str, summary: str, start: str, end: str) -> dict[str, Any]:
    """Calendar API v3, Events: resource representation."""
    return {
        "kind": "calendar#event",
        "id": number,
        "status": "confirmed",
        "summary": summary,
        "start": {"dateTime": start},
        "end": {"dateTime": end},
    }


def _slot(now: float, hours: int, minutes: int) -> tuple[str, str]:
    begin = datetime.fromtimestamp(now // 3600 * 3600, UTC) + timedelta(hours=hours)
    return begin.isoformat(), (begin + timedelta(minutes=minutes)).isoformat()


def _message(number: str, subject: str, sender: str) -> dict[str, Any]:
    """Gmail API v1, messages: resource representation in the format ``metadata``."""
    headers = [{"name": "Subject", "value": subject}, {"name": "From", "value": sender}]
    return {"id": number, "threadId": number, "labelIds": ["INBOX"], "payload": {"headers": headers}}
