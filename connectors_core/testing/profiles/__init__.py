"""What real providers do in their own way, played by the provider under control.

::

    google = profile("google").provider(clock=clock)
    hub = Hub(registry, sender=HttpSender(transport=google.transport()))      # at Google's addresses
    async with profile("google").provider().serving() as google: …           # on a loopback port

A module here that holds a ``ProviderProfile`` is a profile; there is no list of them.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from .profile import ProviderProfile, quirk

__all__ = ["ProviderProfile", "profile", "profiles", "quirk"]


def profiles() -> dict[str, ProviderProfile]:
    """Every profile by its name."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values()]
    return {value.name: value for value in found if isinstance(value, ProviderProfile)}


def profile(name: str) -> ProviderProfile:
    """The profile of that name. Raises LookupError."""
    known = profiles()
    if name not in known:
        raise LookupError(f"no profile {name!r}; there are {', '.join(sorted(known))}")
    return known[name]
