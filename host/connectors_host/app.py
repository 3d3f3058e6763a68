"""The ASGI application."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from connectors_core.config import Configuration, HostSettings, load_configuration
from connectors_core.errors import ConnectorError
from connectors_core.hub import Hub
from connectors_core.return_to import ReturnToRefused
from connectors_core.storage import database as databases
from connectors_core.storage import migrations

from . import answers
from .access_log import AccessLog
from .accounts import Accounts
from .api.bearer import Bearers
from .api.cross_origin import CrossOrigin
from .api.records import Records
from .api.routes import routes as api_routes
from .audit import Audited, Heard, Observer, Trail
from .backchannel import ProviderLogouts
from .cookies import Cookies
from .errors import HostError
from .headers import OwnHost, SecurityHeaders, content_security_policy
from .host import Host
from .logos import Logos
from .oidc.access_tokens import AppTokens
from .oidc.answers import ISSUER_PATH
from .oidc.grants import Grants
from .oidc.routes import routes as oidc_routes
from .pages import STATIC, Pages
from .personal_data import finish_deletions
from .plugins import Plugins
from .renewal import renewing_ahead
from .routes import (
    account,
    account_changes,
    assets,
    backchannel_logout,
    callback,
    health,
    linking,
    native,
    one_tap,
    sign_in,
    sign_out,
    switch,
    user,
)
from .sessions import Sessions
from .signing_keys import SigningKeys

CONFIG_VARIABLE = "CONNECTORS_CONFIG"
CONFIG_FILE = "connectors.toml"


def create_app(
    configuration: Configuration | str | Path | None = None,
    *,
    hub: Hub | None = None,
    clock: Callable[[], float] = time.time,
    plugins: Iterable[object] = (),
) -> Starlette:
    """The identity host as an ASGI application: ``uvicorn --factory connectors_host:create_app``.

    ``configuration`` is one that was loaded, or a file; by default ``$CONNECTORS_CONFIG``, else
    ``./connectors.toml``. ``hub`` replaces the hub that would be made of it and is opened and closed
    with the application; ``clock`` gives seconds since the epoch; ``plugins`` are asked before
    installed ones (``docs/host-hooks.md``). Touches no network. Raises ConfigurationError with every
    mistake of the file, and where a plugin cannot be used.
    """
    if not isinstance(configuration, Configuration):
        configuration = load_configuration(
            Path(configuration or os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)
        )
    settings, hub = configuration.host, hub or Hub.from_config(configuration, clock=clock)
    logos = Logos(hub.connectors())
    asked = Plugins.of(plugins, configuration.plugins)
    observer = Observer()
    configuration.registry.plugins.register(observer)
    policy = partial(
        content_security_policy, images=logos.origins(), form_action=_destinations(configuration)
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            async with hub:
                database = hub.database
                await migrations.prepare(cast("databases.OpenDatabase", database), own_migrations())
                keys, grants = SigningKeys(hub, clock=clock), Grants(database, clock=clock)
                await keys.begin(needed=bool(configuration.apps))
                observer.between = Heard(Trail(database, clock=clock))
                app.state.host = Host(
                    configuration=configuration,
                    hub=hub,
                    accounts=Accounts(database, clock=clock),
                    sessions=Sessions(
                        database,
                        idle=settings.session_idle,
                        absolute=settings.session_absolute,
                        clock=clock,
                    ),
                    logouts=ProviderLogouts(database, clock=clock),
                    bearers=Bearers(database, keys=keys, issuer=settings.base_url, clock=clock),
                    grants=grants,
                    app_tokens=AppTokens(
                        database,
                        keys=keys,
                        grants=grants,
                        issuer=settings.base_url + ISSUER_PATH,
                        audience=settings.base_url,
                        clock=clock,
                    ),
                    signing_keys=keys,
                    records=Records(database, clock=clock),
                    cookies=Cookies(secure=_secure_cookies(settings)),
                    logos=logos,
                    plugins=asked,
                    trail=observer.between.trail,
                    policy=policy,
                    clock=clock,
                )
                try:
                    await finish_deletions(app.state.host)
                    async with renewing_ahead(hub, settings.renew_ahead):
                        yield
                finally:
                    await hub.drain()
                    await observer.between.settled()
                    observer.between = None
        except ConnectorError as error:
            app.state.startup_error = str(error)
            raise

    app = Starlette(
        routes=_routes(),
        lifespan=lifespan,
        middleware=[
            Middleware(AccessLog),
            Middleware(
                SecurityHeaders,
                policy=policy(),
                https=urlsplit(settings.base_url).scheme == "https",
            ),
            Middleware(OwnHost, base_url=settings.base_url, refuse=answers.misdirected),
            Middleware(
                CrossOrigin,
                origins=[origin for app in configuration.apps.values() for origin in app.origins],
            ),
            Middleware(Audited, observer=observer, unavailable=answers.unavailable),
            Middleware(answers.Faults),
        ],
        exception_handlers={
            ConnectorError: answers.on_refusal,
            HostError: answers.on_refusal,
            ReturnToRefused: answers.on_refusal,
            HTTPException: answers.on_http_exception,
        },
    )
    app.state.pages = Pages(settings.base_url)
    return app


def own_migrations() -> migrations.Location:
    """Where the schema of the host's own tables is kept."""
    return migrations.Location.of_package("connectors_host", "connectors_host.migrations")


def _routes() -> list[BaseRoute]:
    return [
        Route("/", sign_in.page),
        Route("/sign-in", sign_in.page),
        Route("/sign-up", sign_in.page),
        _action("/sign-in/{connector_id}", sign_in.begin, "GET"),
        _action("/callback/{connector_id}", callback.callback, "GET", "POST"),
        _action("/native/{connector_id}", native.issue_nonce, "GET"),
        _action("/native/{connector_id}", native.sign_in, "POST"),
        _action("/one-tap/{connector_id}", one_tap.sign_in, "POST"),
        _action("/switch", switch.switch, "POST"),
        Route("/user", user.user),
        _action("/sign-out", sign_out.sign_out, "GET", "POST"),
        _action("/backchannel-logout/{connector_id}", backchannel_logout.backchannel_logout, "POST"),
        _action("/sign-out/provider", sign_out.leave, "GET"),
        _action("/signed-out", sign_out.signed_out, "GET"),
        Route("/account", account.page),
        Route("/account/confirm", account.confirm),
        Route("/account/export", account.export, methods=["GET"]),
        _action("/account/applications", account_changes.applications, "POST"),
        _action("/account/continue", account_changes.leave, "GET"),
        _action("/account/delete", account_changes.delete, "GET", "POST"),
        _action("/account/link", account_changes.link, "POST"),
        _action("/account/profile", account_changes.profile, "POST"),
        _action("/account/reconnect", account_changes.reconnect, "POST"),
        _action("/account/sessions", account_changes.sessions, "POST"),
        _action("/account/unlink", account_changes.unlink, "POST"),
        _action("/linking", linking.linking, "POST"),
        *api_routes(),
        *oidc_routes(),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/logo/{connector_id}", assets.logo),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


def _action(path: str, endpoint: Callable[..., Any], *methods: str) -> Route:
    """A route that does something: HEAD must not do it too, so it is not allowed."""
    route = Route(path, endpoint, methods=methods)
    route.methods = set(methods)
    return route


def _secure_cookies(settings: HostSettings) -> bool:
    return settings.secure_cookies and urlsplit(settings.base_url).scheme == "https"


def _destinations(configuration: Configuration) -> set[str]:
    """Where the host's forms may lead to: what ``return_to`` and applications' lists name."""
    apps = configuration.apps.values()
    parts = [urlsplit(uri) for app in apps for uri in (*app.redirect_uris, *app.post_logout_redirect_uris)]
    named = {f"{p.scheme}://{p.netloc}" if p.scheme in ("http", "https") else f"{p.scheme}:" for p in parts}
    return named | set(configuration.host.return_to_origins)
