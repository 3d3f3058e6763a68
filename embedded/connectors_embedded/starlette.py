"""Sign-in for Starlette and FastAPI applications.

::

    sign_in = SignIn(base_url="https://app.example.org", secret=…, database=…, connectors={…})
    app = FastAPI(routes=sign_in.routes, lifespan=sign_in.lifespan)

    @app.get("/")
    async def home(user: Annotated[User, Depends(sign_in.login_required)]): ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from connectors_core import Hub

from . import messages
from .service import Service
from .settings import Settings
from .users import User

__all__ = ["SignIn", "User"]


class SignIn:
    """The routes of a sign-in, and who is signed in. Takes what ``Settings`` takes.

    It is open between ``async with``, which ``lifespan`` does. ``hub`` is the application's, too: for
    access tokens, identities and further authorizations.
    """

    def __init__(self, **settings: Any) -> None:
        made = Settings(**settings)
        self._service = Service(made)
        self.hub: Hub = made.fill(Hub(made.registry, **made.options()))
        self.routes = [
            Route(path, partial(self._answer, name), methods=messages.METHODS, include_in_schema=False)
            for name, path in self._service.paths()
        ]

    async def __aenter__(self) -> Self:
        await self.hub.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self.hub.__aexit__(*raised)

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """For ``Starlette(lifespan=…)``; an application with a lifespan of its own uses ``async with``."""
        async with self:
            yield

    async def current_user(self, connection: HTTPConnection) -> User | None:
        """Who is signed in; None for nobody. For ``Depends``, or to be called."""
        return self._service.user(connection.cookies)

    async def login_required(self, request: Request) -> User:
        """Who is signed in. A browser without is sent to sign in, a program gets 401 (HTTPException)."""
        user = self._service.user(request.cookies)
        if user is not None:
            return user
        answer = self._service.challenge(await read(request, body=False))
        raise HTTPException(answer.status, headers=dict(answer.headers))

    async def _answer(self, route: str, request: Request) -> Response:
        connector = request.path_params.get("connector")
        answer = await self._service.answer(self.hub, route, await read(request), connector)
        response = Response(answer.body, answer.status, dict(answer.headers), answer.media_type)
        for cookie in answer.cookies:
            response.set_cookie(**cookie.parameters())
        return response


async def read(request: Request, *, body: bool = True) -> messages.Request:
    received = bytearray()
    if body and request.method == "POST":
        async for chunk in request.stream():
            received += chunk
            if len(received) > messages.MAX_BODY:
                break
    return messages.Request(
        method=request.method,
        path=request.scope["path"],
        query=request.scope["query_string"].decode("latin-1"),
        header=request.headers,
        cookies=request.cookies,
        body=bytes(received),
    )
