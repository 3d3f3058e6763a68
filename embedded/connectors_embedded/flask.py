"""Sign-in for Flask applications.

::

    sign_in = SignIn(base_url="https://app.example.org", secret=…, database=…, connectors={…})
    app.register_blueprint(sign_in.blueprint)

    @app.get("/")
    @login_required
    def home():
        return f"Hello {current_user.name}"
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from flask import Blueprint, Response, current_app, request, session
from flask.blueprints import BlueprintSetupState
from werkzeug.local import LocalProxy

from connectors_core import sync

from . import messages
from .service import Service
from .settings import Settings
from .storage import Storage
from .users import User
from .waiting import ProcessHub, run

__all__ = ["SessionStorage", "SignIn", "User", "current_user", "login_required"]

View = TypeVar("View", bound=Callable[..., Any])
EXTENSION = "connectors_embedded"


class SignIn:
    """The routes of a sign-in as ``blueprint``, and who is signed in. Takes what ``Settings`` takes."""

    def __init__(self, **settings: Any) -> None:
        made = Settings(**settings)
        self._service, self._hub = Service(made), ProcessHub(made)
        self.blueprint = Blueprint("connectors", __name__)
        for name, path in self._service.paths():
            rule = path.replace("{connector}", "<connector>")
            endpoint = name + ("_with" if rule != path else "")
            self.blueprint.add_url_rule(rule, endpoint, partial(self._answer, name), methods=messages.METHODS)
        self.blueprint.record_once(self._registered)

    @property
    def hub(self) -> sync.Hub:
        """The synchronous hub of this process, for access tokens, identities and further authorizations."""
        return self._hub.get()

    def close(self) -> None:
        """Close the hub of this process; it is also closed at its exit."""
        self._hub.close()

    @property
    def user(self) -> User | None:
        """Who is signed in by the request at hand."""
        return self._service.user(request.cookies)

    def challenge(self) -> Response:
        """Send a browser to sign in; tell a program that it must (401)."""
        return _response(self._service.challenge(_read()))

    def _registered(self, state: BlueprintSetupState) -> None:
        state.app.extensions[EXTENSION] = self

    def _answer(self, route: str, connector: str | None = None) -> Response:
        return _response(run(self._service.answer(self._hub, route, _read(body=True), connector)))


class SessionStorage(Storage):
    """Keeps what a ``Client`` knows of a browser in Flask's session."""

    def get(self, key: str) -> str | None:
        return cast("str | None", session.get(key))

    def set(self, key: str, value: str | None) -> None:
        session[key] = value

    def delete(self, key: str) -> None:
        session.pop(key, None)


def login_required(view: View) -> View:
    """Let nobody into ``view``, which may be ``async``, who is not signed in."""

    @wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        if _user() is None:
            return _sign_in().challenge()
        return current_app.ensure_sync(view)(*arguments, **named)

    return cast("View", guarded)


def _sign_in() -> SignIn:
    found = current_app.extensions.get(EXTENSION)
    if found is None:
        raise RuntimeError("this application has no sign-in: app.register_blueprint(sign_in.blueprint)")
    return cast("SignIn", found)


def _user() -> User | None:
    # Of the request: ``g`` may outlive it, where an application context was pushed around several.
    if EXTENSION not in request.environ:
        request.environ[EXTENSION] = _sign_in().user
    return cast("User | None", request.environ[EXTENSION])


def _read(*, body: bool = False) -> messages.Request:
    received = request.stream.read(messages.MAX_BODY + 1) if body and request.method == "POST" else b""
    return messages.Request(
        method=request.method,
        path=request.script_root + request.path,
        query=request.query_string.decode("latin-1"),
        header={name.lower(): value for name, value in request.headers.items()},
        cookies=request.cookies,
        body=received,
    )


def _response(answer: messages.Answer) -> Response:
    response = Response(answer.body, answer.status, dict(answer.headers), content_type=answer.media_type)
    for cookie in answer.cookies:
        response.set_cookie(**cookie.parameters())
    return response


current_user: User = cast("User", LocalProxy(_user))
"""Who is signed in by the request at hand; false where nobody is."""
