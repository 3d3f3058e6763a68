"""Sign-in for Django projects.

::

    CONNECTORS = {"base_url": "https://app.example.org", "database": …, "connectors": {…}}  # settings.py
    MIDDLEWARE = [..., "connectors_embedded.django.UserMiddleware"]

    urlpatterns = [path("", include("connectors_embedded.django")), ...]                    # urls.py

    @login_required
    def home(request):
        return HttpResponse(f"Hello {request.connectors_user.name}")

``CONNECTORS`` holds what ``Settings`` takes; without a ``secret`` it is ``SECRET_KEY`` and its fallbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial, wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.conf import settings as project  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from django.utils.deprecation import MiddlewareMixin  # type: ignore[import-untyped]
from django.views.decorators.csrf import csrf_exempt  # type: ignore[import-untyped]

from connectors_core import sync

from . import messages
from .service import Service
from .settings import Settings
from .users import User
from .waiting import ProcessHub, run

View = TypeVar("View", bound=Callable[..., Any])


class SignIn:
    """What stands behind the routes. ``sign_in()`` is the one of the project's ``CONNECTORS``."""

    def __init__(self, **settings: Any) -> None:
        made = Settings(**settings)
        self.service, self._hub = Service(made), ProcessHub(made)

    @property
    def hub(self) -> sync.Hub:
        """The synchronous hub of this process, for access tokens, identities and further authorizations."""
        return self._hub.get()

    def close(self) -> None:
        """Close the hub of this process; it is also closed at its exit."""
        self._hub.close()

    def view(self, route: str, request: HttpRequest, connector: str | None = None) -> HttpResponse:
        return _response(run(self.service.answer(self._hub, route, _read(request, body=True), connector)))


@lru_cache(maxsize=1)
def sign_in() -> SignIn:
    """Made of ``CONNECTORS`` at its first use. Raises ConfigurationError with every mistake."""
    secrets = (project.SECRET_KEY, *project.SECRET_KEY_FALLBACKS)
    return SignIn(**{"secret": secrets, **project.CONNECTORS})


def user_of(request: HttpRequest) -> User | None:
    """Who is signed in, with the middleware or without."""
    if not hasattr(request, "connectors_user"):
        return sign_in().service.user(request.COOKIES)
    return cast("User | None", request.connectors_user)


class UserMiddleware(MiddlewareMixin):  # type: ignore[misc]  # Django has no types
    """Sets ``request.connectors_user``: who is signed in, None for nobody.

    Raises ConfigurationError when the server starts.
    """

    def __init__(self, get_response: Callable[..., Any]) -> None:
        super().__init__(get_response)
        sign_in()

    def process_request(self, request: HttpRequest) -> None:
        request.connectors_user = user_of(request)


def login_required(view: View) -> View:
    """Let nobody into ``view``, which may be ``async``, who is not signed in."""

    def refusal(request: HttpRequest) -> HttpResponse | None:
        if user_of(request) is not None:
            return None
        return _response(sign_in().service.challenge(_read(request)))

    async def guarded_later(request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        return refusal(request) or await view(request, *arguments, **named)

    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        return refusal(request) or view(request, *arguments, **named)

    return cast("View", wraps(view)(guarded_later if iscoroutinefunction(view) else guarded))


def _read(request: HttpRequest, *, body: bool = False) -> messages.Request:
    received = request.read(messages.MAX_BODY + 1) if body and request.method == "POST" else b""
    return messages.Request(
        method=request.method or "",
        path=request.path,
        query=request.META.get("QUERY_STRING", ""),
        header={name.lower(): value for name, value in request.headers.items()},
        cookies=request.COOKIES,
        body=received,
    )


def _response(answer: messages.Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type=answer.media_type)
    for name, value in answer.headers.items():
        response[name] = value
    for cookie in answer.cookies:
        response.set_cookie(**cookie.parameters())
    return response


app_name = "connectors"


def __getattr__(name: str) -> Any:
    """``urlpatterns``, when ``include`` asks for them: at the project's prefix."""
    if name != "urlpatterns":
        raise AttributeError(name)
    return [
        path(
            where.replace("{connector}", "<str:connector>").removeprefix("/"),
            csrf_exempt(partial(sign_in().view, route)),
            name=route.replace("_", "-") + ("-with" if "{" in where else ""),
        )
        for route, where in sign_in().service.paths()
    ]
