"""What commands say: results to standard output, problems to standard error."""

from __future__ import annotations

import sys


def tell(message: str) -> None:
    """Write a line to standard output at once."""
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


def complain(message: object) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{message}\n")
