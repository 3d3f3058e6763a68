"""An OpenID provider and OAuth 2.0 server under control: strict, and wrong where it is told to be.

::

    provider = Provider()
    provider.deviate("id_token.nonce-missing")          # or: with provider.deviate(…):
    hub = Hub(registry, sender=HttpSender(transport=provider.transport()))
    landing = await provider.visit(started.uri)         # or a browser, after: async with provider.serving()
    provider.requests.count("token")
"""

from .authorize import Landing
from .cases import CASES, Case, Scenario, case
from .certificate import make_tls
from .grants import Client, Person
from .keys import SigningKey
from .messages import Fault, Request, Response
from .provider import Provider
from .records import Recorded, Requests
from .transport import ProviderTransport

__all__ = [
    "CASES",
    "Case",
    "Client",
    "Fault",
    "Landing",
    "Person",
    "Provider",
    "ProviderTransport",
    "Recorded",
    "Request",
    "Requests",
    "Response",
    "Scenario",
    "SigningKey",
    "case",
    "make_tls",
]
