"""The APIs behind the tokens. Each looks for a scope that its documentation names, and knows its caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from connectors_core.testing.provider import Provider, Request, Response
from connectors_core.testing.provider.grants import AccessToken, Refused

from .people import Account, event

SCOPES = "https://www.googleapis.com/auth/"
LISTS_EVENTS = ("calendar", "calendar.readonly", "calendar.events", "calendar.events.readonly")
ADDS_EVENTS = ("calendar", "calendar.events")
READS_MAIL = ("gmail.readonly", "gmail.modify", "gmail.metadata")
LISTS_FILES = ("drive", "drive.readonly", "drive.metadata", "drive.metadata.readonly")
ALL = tuple(dict.fromkeys(LISTS_EVENTS + READS_MAIL + LISTS_FILES))

EVENTS = "https://www.googleapis.com/calendar/v3/calendars/primary/events"
MESSAGES = "https://gmail.googleapis.com/gmail/v1/users/me/messages"
FILES = "https://www.googleapis.com/drive/v3/files"

Answer = Callable[[Account, Request], Any]
Resource = Callable[[Provider, Request, AccessToken], Any]


def resources(accounts: Mapping[str, Account]) -> dict[str, Resource]:
    """What answers where, as ``[METHOD ]URL``; a token without the scope is answered 403."""

    def opened_by(scopes: tuple[str, ...], answer: Answer) -> Resource:
        def resource(provider: Provider, request: Request, access: AccessToken) -> Any:
            if not {f"{SCOPES}{scope}" for scope in scopes} & {*access.scopes}:
                raise Refused("insufficient_scope", status=403)
            return answer(accounts[access.grant.person.sub], request)

        return resource

    messages = [message["id"] for account in accounts.values() for message in account.messages]
    return {
        EVENTS: opened_by(LISTS_EVENTS, list_events),
        f"POST {EVENTS}": opened_by(ADDS_EVENTS, insert_event),
        MESSAGES: opened_by(READS_MAIL, list_messages),
        **{f"{MESSAGES}/{number}": opened_by(READS_MAIL, get_message) for number in messages},
        FILES: opened_by(LISTS_FILES, list_files),
    }


def list_events(account: Account, request: Request) -> Any:
    """Calendar API v3, Events: list, with ``timeMin`` and ``maxResults``."""
    query = dict(request.query_pairs())
    begin = _time(query.get("timeMin", "1970-01-01T00:00:00+00:00"))
    later = [each for each in account.events if _time(each["end"]["dateTime"]) > begin]
    later.sort(key=lambda each: _time(each["start"]["dateTime"]))
    most = int(query.get("maxResults", "250"))
    return {"kind": "calendar#events", "summary": account.person.claims["email"], "items": later[:most]}


def insert_event(account: Account, request: Request) -> Any:
    """Calendar API v3, Events: insert."""
    try:
        sent = json.loads(request.body)
        start, end = (str(sent[name]["dateTime"]) for name in ("start", "end"))
        backwards = _time(end) <= _time(start)
    except (ValueError, KeyError, TypeError):
        return _bad_request("Missing or malformed start or end time.")
    if backwards:
        return _bad_request("The specified time range is empty.")
    added = event(str(len(account.events) + 1), str(sent.get("summary", "")), start, end)
    account.events.append(added)
    return added


def list_messages(account: Account, request: Request) -> Any:
    """Gmail API v1, messages: list. Ids alone, as there."""
    most = int(dict(request.query_pairs()).get("maxResults", "100"))
    found = [{"id": each["id"], "threadId": each["threadId"]} for each in account.messages[:most]]
    return {"messages": found, "resultSizeEstimate": len(account.messages)}


def get_message(account: Account, request: Request) -> Any:
    """Gmail API v1, messages: get, in the format ``metadata``."""
    number = request.path.rpartition("/")[2]
    found = next((each for each in account.messages if each["id"] == number), None)
    return found or _error(404, "Requested entity was not found.", "NOT_FOUND")


def list_files(account: Account, request: Request) -> Any:
    """Drive API v3, files: list."""
    most = int(dict(request.query_pairs()).get("pageSize", "100"))
    return {"kind": "drive#fileList", "files": list(account.files[:most])}


def _time(text: str) -> datetime:
    """RFC 3339, with an offset as Google demands one. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment


def _bad_request(message: str) -> Response:
    return _error(400, message, "INVALID_ARGUMENT")


def _error(code: int, message: str, status: str) -> Response:
    return Response.json({"error": {"code": code, "message": message, "status": status}}, status=code)
