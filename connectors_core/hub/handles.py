"""The hub's face for small things kept between two requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .shared import Shared


class HandleFace:
    """The part of a tenant's face that is about one-time handles."""

    _shared: Shared
    name: str

    async def put_handle(self, kind: str, data: Mapping[str, Any], *, lifetime: float) -> str:
        """Keep ``data`` (JSON) for ``lifetime`` seconds; return the one-time name it can be taken by.

        The data is sealed under that name, which is not stored.
        """
        from ..flow import sealing

        handle = sealing.new_value()
        sealed = sealing.seal(data, under=(handle,), context=("handle", kind, self.name))
        self._shared.sweep()
        await self._shared.stores.handles.put(
            self.name,
            kind,
            sealing.hashed("handle", handle),
            sealed,
            expires_at=self._shared.clock() + lifetime,
        )
        return handle

    async def take_handle(self, kind: str, handle: str) -> Mapping[str, Any] | None:
        """What was put under ``handle``, once; None when it is unknown, expired or taken."""
        from ..flow import sealing

        key = sealing.hashed("handle", handle)
        sealed = await self._shared.stores.handles.take(self.name, kind, key, now=self._shared.clock())
        if sealed is None:
            return None
        try:
            return sealing.unseal(sealed, under=(handle,), context=("handle", kind, self.name))
        except sealing.CannotOpen:
            return None
