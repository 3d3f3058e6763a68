"""The assistant: it knows a name at first, and asks for more when the person asks it for something.

The people who use it sign in at the identity host, which also keeps what Google grants; this
application stores no token of Google's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from connectors_core.errors import AuthorizationError, CallbackRejected, ConnectorError

from .google_apis import FILES, MAIL, READ, WRITE, Entry, GoogleApis
from .headers import Headers
from .identity_host import IdentityHost, Problem, SignedOut, Token
from .refusals import REFUSALS, in_words

HERE = Path(__file__).parent
GOOGLE = ("https://accounts.google.com", "https://lh3.googleusercontent.com")
"""Where Google's pages and people's pictures are."""
SESSION, BINDING = "calendar_session", "calendar_sign_in"
WORDS = {
    READ: "see your events",
    WRITE: "change your events",
    MAIL: "read your mail",
    FILES: "see the names of your documents",
}
ASKABLE: Mapping[str, Sequence[str]] = {"day": (READ,), "plan": (WRITE,), "prepare": (MAIL, FILES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where everybody is, and who we are to the host. ``emulator`` stands in for Google's APIs."""

    url: str
    host: str
    client_id: str
    client_secret: str = field(repr=False)
    emulator: str | None = None


@dataclass(slots=True, kw_only=True)
class Visit:
    """Somebody who is signed in here. In memory; the tokens are the host's, and good there alone."""

    name: str
    picture: str | None
    access_token: str = field(repr=False)
    id_token: str | None = field(repr=False)
    asked: Sequence[str] = ()
    record: str = ""
    notice: str = ""


class Assistant:
    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.url, self.clock = settings.url, clock
        self.host = IdentityHost(
            settings.host, client_id=settings.client_id, client_secret=settings.client_secret, clock=clock
        )
        self.google = GoogleApis(settings.emulator)
        self.visits: dict[str, Visit] = {}
        self.cookie: Any = {"httponly": True, "samesite": "lax", "secure": self.url.startswith("https:")}
        self.pages = Jinja2Templates(HERE / "templates")
        scopes = {"READ": READ, "WRITE": WRITE, "MAIL": MAIL, "FILES": FILES}
        self.pages.env.globals |= {"host": settings.host, "words": WORDS, "notice": "", **scopes}

    def visit(self, request: Request) -> Visit:
        """Who asks. Raises SignedOut, and HTTPException where a page of another origin sent the form."""
        if request.method == "POST" and request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise HTTPException(403)
        visit = self.visits.get(request.cookies.get(SESSION, ""))
        if visit is None:
            raise SignedOut
        return visit

    # Step 1: sign in, with the least that will do

    async def sign_in(self, request: Request) -> Response:
        uri, binding = await self.host.begin(f"{self.url}/callback")
        answer = RedirectResponse(uri, 303)
        answer.set_cookie(BINDING, binding, **self.cookie)
        return answer

    async def callback(self, request: Request) -> Response:
        completed = await self.host.complete(request.url.query, request.cookies.get(BINDING))
        session = secrets.token_urlsafe(32)
        self.visits[session] = Visit(
            name=completed.profile.name or completed.profile.email or "you",
            picture=completed.profile.avatar,
            access_token=completed.tokens.access_token,
            id_token=completed.tokens.id_token,
        )
        answer = RedirectResponse("/", 303)
        answer.set_cookie(SESSION, session, **self.cookie)
        answer.delete_cookie(BINDING)
        return answer

    # Steps 2 and 3: what the token opens. It is asked for each time, and arrives fresh.

    async def home(self, request: Request) -> Response:
        if request.cookies.get(SESSION, "") not in self.visits:
            return self.pages.TemplateResponse(request, "welcome.html")
        visit = self.visit(request)
        notice, visit.notice = visit.notice, ""
        token: Token | None = None
        lists: Mapping[str, Sequence[Entry]] = {}
        try:
            token = await self.host.google_token(visit.access_token)
            lists = await self.lists(token)
        except Problem as problem:
            # Nobody has been asked yet: One Tap tells who somebody is, and brings no token.
            notice = notice or ("" if problem.code == "token_not_found" else in_words(problem))
        except httpx.HTTPStatusError as error:
            notice = notice or f"Google refused to answer ({error.response.status_code}). Let me ask again."
        shown = {"visit": visit, "notice": notice, "token": token, "lists": lists}
        return self.pages.TemplateResponse(
            request, "home.html", {**shown, "refreshes": await self.google.refreshes()}
        )

    async def lists(self, token: Token) -> Mapping[str, Sequence[Entry]]:
        """What Google has, as far as the person allowed it."""
        ask: dict[str, Callable[[], Any]] = {
            READ: lambda: self.google.events(token.value, since=self.clock()),
            MAIL: lambda: self.google.messages(token.value),
            FILES: lambda: self.google.files(token.value),
        }
        return {scope: await ask[scope]() for scope in ask if scope in token.scopes}

    # Step 4: more, when the person wants more

    async def ask(self, request: Request) -> Response:
        visit = self.visit(request)
        feature = request.path_params["feature"]
        if feature not in ASKABLE:
            raise HTTPException(404)
        visit.asked = ASKABLE[feature]
        visit.record, uri = await self.host.ask_for_more(
            visit.access_token, scope=" ".join(visit.asked), redirect_uri=f"{self.url}/granted"
        )
        return RedirectResponse(uri, 303)

    async def granted(self, request: Request) -> Response:
        visit = self.visit(request)
        try:
            token = await self.host.take_what_was_granted(
                visit.access_token, record=visit.record, callback=request.query_params
            )
            refused = [WORDS[scope] for scope in visit.asked if scope not in token.scopes]
            visit.notice = f"You did not let me {' or '.join(refused)}." if refused else "Thank you."
        except Problem as problem:
            denied = problem.code == "access_denied"
            visit.notice = "You said no, and nothing has changed." if denied else in_words(problem)
        return RedirectResponse("/", 303)

    async def plan(self, request: Request) -> Response:
        visit = self.visit(request)
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        summary = form.get("summary", "").strip()[:100] or "Meeting"
        token = await self.host.google_token(visit.access_token)
        in_an_hour = (self.clock() // 3600 + 2) * 3600
        await self.google.plan(token.value, summary=summary, begin=in_an_hour, minutes=30)
        visit.notice = f"“{summary}” is in your calendar."
        return RedirectResponse("/", 303)

    # Step 5: out, and in again

    async def sign_out(self, request: Request) -> Response:
        visit = self.visit(request)
        del self.visits[request.cookies[SESSION]]
        uri = await self.host.sign_out_uri(visit.id_token, f"{self.url}/")
        answer = RedirectResponse(uri, 303)
        answer.delete_cookie(SESSION)
        return answer

    async def on_signed_out(self, request: Request, error: Exception) -> Response:
        self.visits.pop(request.cookies.get(SESSION, ""), None)
        return RedirectResponse("/sign-in", 303)

    async def on_failure(self, request: Request, error: Exception) -> Response:
        visit, notice = self.visits.get(request.cookies.get(SESSION, "")), in_words(error)
        if visit is not None and request.url.path != "/":
            visit.notice = notice
            return RedirectResponse("/", 303)
        status = 400 if isinstance(error, CallbackRejected | AuthorizationError) else 502
        return self.pages.TemplateResponse(request, "welcome.html", {"notice": notice}, status_code=status)

    async def on_refusal(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        heading, body = REFUSALS.get(error.status_code, ("That did not work", "Go back and try again."))
        return self.pages.TemplateResponse(
            request,
            "refused.html",
            {"heading": heading, "body": body},
            status_code=error.status_code,
            headers=error.headers,
        )


def create_app(settings: Settings, *, clock: Callable[[], float] = time.time) -> Starlette:
    """The application at ``settings.url``."""
    assistant = Assistant(settings, clock=clock)
    sign_in, pictures = (settings.emulator,) * 2 if settings.emulator else GOOGLE

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with assistant.host, assistant.google:
            yield

    return Starlette(
        routes=[
            Route("/", assistant.home),
            Route("/sign-in", assistant.sign_in),
            Route("/callback", assistant.callback),
            Route("/ask/{feature:str}", assistant.ask, methods=["POST"]),
            Route("/granted", assistant.granted),
            Route("/plan", assistant.plan, methods=["POST"]),
            Route("/sign-out", assistant.sign_out, methods=["POST"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        lifespan=lifespan,
        middleware=[Middleware(Headers, leads_to=(settings.host, sign_in), images=pictures)],
        exception_handlers={
            HTTPException: assistant.on_refusal,
            SignedOut: assistant.on_signed_out,
            ConnectorError: assistant.on_failure,
            Problem: assistant.on_failure,
            httpx.HTTPError: assistant.on_failure,
        },
    )
