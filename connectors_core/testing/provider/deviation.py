"""A named case in force at a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cases import Case

if TYPE_CHECKING:
    from .provider import Provider


class Deviation:
    """A case in force. Leaving the block, or ``end()``, takes it back, the keys too."""

    def __init__(self, provider: Provider, case: Case) -> None:
        self.case = case
        self._provider = provider
        self._before = {name: getattr(provider, name) for name in (*case.settings, "algorithm")}
        self._keys = list(provider.keys)
        for name, value in case.settings.items():
            setattr(provider, name, value)
        provider.active.append(case)

    def __enter__(self) -> Case:
        return self.case

    def __exit__(self, *reason: object) -> None:
        self.end()

    def end(self) -> None:
        self._provider.active.remove(self.case)
        self._provider.keys[:] = self._keys
        for name, value in self._before.items():
            setattr(self._provider, name, value)
