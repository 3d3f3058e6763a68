"""The transit engine of HashiCorp Vault and OpenBao (extra ``vault-transit``).

Where the server is and who asks is read from the environment, as the server's own tools have it:
``VAULT_ADDR``, ``VAULT_TOKEN``, ``VAULT_NAMESPACE``, ``VAULT_CACERT``, or the same beginning with
``BAO_``. Keys must be of a type with associated data: the server itself then refuses a row that
was moved.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import KeyUnavailable, SealBroken, UnknownKey
from ...grants import KeyHealth
from ..record import wrap_context
from .remote import missing_package, refused, trial

TIMEOUT = 5.0
AEAD = ("aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305")
"""Types of transit keys that take associated data."""

_NAME = re.compile(r"(?:(?P<mount>[\w.-]+(?:/[\w.-]+)*)/)?(?P<name>[\w.-]+)")


class HashicorpTransit:
    """Wraps by the transit keys of ``names`` (``NAME`` or ``MOUNT/NAME``), each called by its name.

    A new version of a key in the server needs nothing here. ``make_client`` makes an hvac client.
    """

    def __init__(self, names: Sequence[str], *, make_client: Callable[[], Any] | None = None) -> None:
        self._mounts: dict[str, str] = {}
        for name in names:
            match = _NAME.fullmatch(name)
            if match is None:
                raise refused("names something that is not a transit key", "write vault-transit:NAME")
            if match["name"] in self._mounts:
                raise refused(f"names the transit key {match['name']} twice")
            self._mounts[match["name"]] = match["mount"] or "transit"
        self._make_client = make_client or (lambda: _client(os.environ))
        self._client: Any = None
        self._checked: set[str] = set()
        self._lock = threading.Lock()

    def kids(self) -> Sequence[str]:
        return tuple(self._mounts)

    async def wrap(self, dek: bytes, *, kid: str, context: bytes) -> bytes:
        return await asyncio.to_thread(self._wrap, dek, kid, context)

    async def unwrap(self, wrapped: bytes, *, kid: str, context: bytes) -> bytes:
        return await asyncio.to_thread(self._unwrap, wrapped, kid, context)

    async def rewrap(self, wrapped: bytes, *, kid: str, to: str, context: bytes) -> bytes:
        """The server's own rewrap takes no associated data, so the data key passes through here."""
        dek = await self.unwrap(wrapped, kid=kid, context=context)
        return await self.wrap(dek, kid=to, context=context)

    async def health(self) -> Sequence[KeyHealth]:
        return await trial(self)

    def _wrap(self, dek: bytes, kid: str, context: bytes) -> bytes:
        mount = self._mount(kid)
        self._check(kid, mount)
        answer = self._call(
            kid,
            lambda transit: transit.encrypt_data(
                kid, _base64(dek), associated_data=_base64(wrap_context(kid, context)), mount_point=mount
            ),
        )
        return str(answer["data"]["ciphertext"]).encode()

    def _unwrap(self, wrapped: bytes, kid: str, context: bytes) -> bytes:
        mount = self._mount(kid)
        try:
            ciphertext = wrapped.decode("ascii")
        except UnicodeError:
            raise _broken(kid) from None
        answer = self._call(
            kid,
            lambda transit: transit.decrypt_data(
                kid, ciphertext, associated_data=_base64(wrap_context(kid, context)), mount_point=mount
            ),
        )
        try:
            return base64.b64decode(answer["data"]["plaintext"], validate=True)
        except (binascii.Error, ValueError):
            raise _broken(kid) from None

    def _check(self, kid: str, mount: str) -> None:
        """Once: encrypting by a key that is not there makes one, where the token may."""
        if kid in self._checked:
            return
        try:
            data = self._call(kid, lambda transit: transit.read_key(kid, mount_point=mount))["data"]
        except _NotAllowed:
            # May encrypt, may not look: such a token makes no key either.
            data = {"type": AEAD[0]}
        if data["type"] not in AEAD or data.get("derived"):
            raise refused(
                f"names the transit key {kid} of type {data['type']}, which takes no associated data",
                f"make one of type {AEAD[1]} that is not derived",
            )
        self._checked.add(kid)

    def _mount(self, kid: str) -> str:
        if kid not in self._mounts:
            raise UnknownKey(f"the transit key {kid} is not named by vault_keys")
        return self._mounts[kid]

    def _call(self, kid: str, call: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any]:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
        from hvac import exceptions  # type: ignore[import-untyped]
        from requests import RequestException

        try:
            return call(self._client.secrets.transit)
        except exceptions.InvalidPath:
            raise UnknownKey(f"the transit engine knows no key {kid}") from None
        except exceptions.InvalidRequest as error:
            raise _refusal(error, kid) from None
        except exceptions.Forbidden:
            raise _NotAllowed(
                f"the transit engine does not let key {kid} be used: permission denied;"
                " the token needs update on its encrypt and decrypt"
            ) from None
        except exceptions.VaultDown:
            raise KeyUnavailable("the transit server is sealed or stands by: unseal it") from None
        except (exceptions.VaultError, RequestException) as error:
            raise KeyUnavailable(f"the transit engine cannot be used: {type(error).__name__}") from None


class _NotAllowed(KeyUnavailable):
    """The token may not do this."""


def _refusal(error: Exception, kid: str) -> Exception:
    """Status 400 is all that the server gives; its text tells the cases apart."""
    said = str(error)
    if "key not found" in said:
        return UnknownKey(f"the transit engine knows no key {kid}")
    if "too old" in said:
        return KeyUnavailable(f"the transit key {kid} has a min_decryption_version above this row's version")
    return _broken(kid)


def _broken(kid: str) -> SealBroken:
    return SealBroken(f"transit key {kid} did not wrap this, or not for this row")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _client(environ: Mapping[str, str]) -> Any:
    try:
        import hvac
    except ModuleNotFoundError:
        raise missing_package("hvac", "vault-transit") from None

    def setting(name: str) -> str | None:
        return environ.get(f"VAULT_{name}") or environ.get(f"BAO_{name}") or None

    url, token = setting("ADDR"), setting("TOKEN")
    if not url or not token:
        raise refused("names a transit key, and no server is known", "set VAULT_ADDR and VAULT_TOKEN")
    ca_file = setting("CACERT")
    return hvac.Client(
        url=url, token=token, namespace=setting("NAMESPACE"), verify=ca_file or True, timeout=TIMEOUT
    )
