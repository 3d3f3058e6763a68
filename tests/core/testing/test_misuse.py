"""Every mistake on our side of the wire ends in the exception that is promised for it."""

from __future__ import annotations

import pytest

from connectors_core.testing.misuse import MISUSE
from tests.core.testing.test_cases import acting


@pytest.mark.parametrize("name", MISUSE)
async def test_misuse(name: str, provider, clock) -> None:
    async with acting(provider, clock) as actor:
        with pytest.raises(MISUSE[name].expected) as raised:
            await MISUSE[name].play(actor)
    assert type(raised.value) is MISUSE[name].expected
