"""A process whose memory holds tokens leaves no image of it behind."""

from __future__ import annotations

import ctypes
import sys

PR_SET_DUMPABLE = 4


def leave_none() -> None:
    """From now on no core dump of this process is written, nor can others of its user read its memory.

    POSIX ``RLIMIT_CORE``, and on Linux ``PR_SET_DUMPABLE`` (prctl(2)), which also holds where dumps
    are piped to a program. Where a system has neither, nothing happens.
    """
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
