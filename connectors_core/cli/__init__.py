"""The script ``connectors``.

Exit codes: 0 done, 1 a problem in what was asked, 2 usage. With ``--json`` standard output holds
one document and nothing else.
"""

from .main import main

__all__ = ["main"]
