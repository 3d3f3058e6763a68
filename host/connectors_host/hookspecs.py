"""The hook of this host: who may come in, and as whom.

A plugin is a module or object with a function marked ``@hookimpl``, named by an entry point of the
group ``connectors_host.plugins``, or given to ``create_app(plugins=…)``. See ``docs/host-hooks.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pluggy

from connectors_core.profile import Profile
from connectors_core.tokens import nothing

PROJECT = "connectors_host"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Action(StrEnum):
    """What is about to happen."""

    SIGN_IN = "sign_in"
    SIGN_UP = "sign_up"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A completed authorization that nothing was written of yet.

    ``owner`` is whose account it is about to reach, None for one that does not exist. ``claims`` are
    those of the verified ID token, else what the provider's profile answer held. No token is in it.
    """

    action: Action
    owner: str | None
    connector: str
    target: str
    issuer: str
    subject: str
    profile: Profile
    claims: Mapping[str, Any] = field(default_factory=nothing, repr=False)


@dataclass(frozen=True, slots=True)
class Deny:
    """Refuse: 403 ``sign_in_denied``. ``reason`` goes to the log, not to the person."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Let in. ``fields`` replace fields of the profile (``name``, ``avatar``, ``email``, …).

    ``owner``, for a sign-up alone, is whose account it becomes: one that is there, or a new one of
    that id. One that is there is reached also where sign-up is closed.
    """

    fields: Mapping[str, Any] = field(default_factory=nothing)
    owner: str | None = None


@hookspec(firstresult=True)
def admit_sign_in(event: SignIn) -> Admit | Deny | None:
    """Decide on a sign-in, sign-up or link; None leaves it to the next plugin, at last to the host.

    Runs in a worker thread, before anything is written, so it may ask a directory or make a person
    elsewhere. What it raises refuses the sign-in (503 ``temporarily_unavailable``).
    """
