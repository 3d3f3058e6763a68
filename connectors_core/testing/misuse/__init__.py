"""What hosts, operators and authors get wrong, each with the exception that must come of it.

The cases of ``provider`` are about providers; these are about those who stand on our side of the
wire. Each is played by an ``Actor`` whose connector ``tested`` is a discovered OpenID provider.
"""

from __future__ import annotations

from . import api, authors, hosts, operators
from .mistake import MISUSE, Misuse

__all__ = ["MISUSE", "Misuse", "api", "authors", "hosts", "operators"]
