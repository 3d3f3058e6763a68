"""Sign-in inside an application: no server beside it, no tables but the hub's.

The adapters are ``connectors_embedded.flask``, ``.django`` and ``.starlette`` (FastAPI too);
``Client`` has the methods of Logto's SDK.
"""

from .client import Client
from .refusals import Refused
from .settings import Connectors, Settings
from .storage import MemoryStorage, Storage
from .users import Claims, User

__all__ = ["Claims", "Client", "Connectors", "MemoryStorage", "Refused", "Settings", "Storage", "User"]
