"""The host's plugins: found, checked, and asked who may come in."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import pluggy
from starlette.concurrency import run_in_threadpool

from connectors_core.config import PluginSettings
from connectors_core.errors import ConfigurationError, Problem, Step
from connectors_core.flow import Completed
from connectors_core.registry import LoadFailure, failure, installed, is_blocked, load

from . import hookspecs
from .accounts import COLUMNS
from .errors import HostError
from .hookspecs import Action, Admit, Deny, SignIn

GROUP = "connectors_host.plugins"
MAX_OWNER = 255
"""Characters of the longest owner id that a plugin may give."""

log = logging.getLogger("connectors_host.plugins")


class Plugins:
    """Who is asked before somebody comes in. Nothing is shared between instances."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    @classmethod
    def of(cls, given: Iterable[object], settings: PluginSettings) -> Plugins:
        """``given`` and every installed plugin that ``settings`` let in; the given ones are asked first.

        Raises ConfigurationError where one cannot be used: a rule that is not applied lets people in.
        """
        made, problems = cls(), []
        for point in installed(GROUP):
            if is_blocked(point.name, point.distribution, allow=settings.allow, block=settings.block):
                continue
            loaded = load(point)
            fault = loaded.cause if isinstance(loaded, LoadFailure) else made.register(loaded)
            if fault:
                place = ("plugins", f"{point.distribution}:{point.name}")
                problems.append(Problem(place, f"cannot be used: {fault}", "repair it, or block it"))
        for plugin in given:
            if fault := made.register(plugin):
                problems.append(Problem(("plugins", type(plugin).__name__), f"cannot be used: {fault}"))
        if problems:
            raise ConfigurationError(problems)
        return made

    def register(self, plugin: object) -> str:
        """Add ``plugin``, or return why it does not fit the hooks."""
        try:
            self._manager.register(plugin)
            self._manager.check_pending()
            for caller in self._manager.get_hookcallers(plugin) or ():
                for implementation in caller.get_hookimpls():
                    if inspect.iscoroutinefunction(implementation.function):
                        return f"{caller.name} is asynchronous; hooks are plain functions"
        except Exception as error:
            return failure(error).cause
        return ""

    async def admit(self, event: SignIn) -> Admit:
        """What the plugins say to ``event``; without an answer, come in as you are.

        Raises HostError: sign_in_denied, or temporarily_unavailable where a plugin fails.
        """
        answer = await run_in_threadpool(self._ask, event)
        if isinstance(answer, Deny):
            log.info("a plugin denies %s at %s: %s", event.action.value, event.connector, answer.reason)
            raise HostError("sign_in_denied", step=Step.LINKING)
        if answer is None:
            return Admit()
        if not isinstance(answer, Admit) or not _fits(answer, event):
            log.error("a plugin's admit_sign_in gave an answer that does not fit %s", event.action.value)
            raise _failed()
        return answer

    def _ask(self, event: SignIn) -> Any:
        try:
            return self._manager.hook.admit_sign_in(event=event)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Its text may hold anything, a token of the plugin's own among it.
            log.error("a plugin's admit_sign_in raised %s", type(error).__name__)
            raise _failed() from None


def event_of(completed: Completed, action: Action, *, target: str, owner: str | None) -> SignIn:
    """What plugins are told of ``completed``."""
    return SignIn(
        action=action,
        owner=owner,
        connector=completed.connector,
        target=target,
        issuer=completed.identity.issuer,
        subject=completed.identity.subject,
        profile=completed.profile,
        claims=completed.tokens.claims or completed.profile.raw,
    )


def _failed() -> HostError:
    return HostError("temporarily_unavailable", "a sign-in hook failed", step=Step.LINKING)


def _fits(answer: Admit, event: SignIn) -> bool:
    if not isinstance(answer.fields, Mapping):
        return False
    for name, value in answer.fields.items():
        kind = bool if str(name).endswith("_verified") else str
        if name not in COLUMNS or not (value is None or isinstance(value, kind)):
            return False
    if answer.owner is None or answer.owner == event.owner:
        return True
    owner = answer.owner
    plain = isinstance(owner, str) and 0 < len(owner) <= MAX_OWNER and owner.isprintable()
    return plain and event.action is Action.SIGN_UP
