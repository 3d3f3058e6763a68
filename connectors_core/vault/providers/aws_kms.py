"""AWS KMS: a key that never leaves the service (extra ``aws-kms``).

Credentials are found as boto3 finds them, best from the machine's role. What is wrapped is bound to
its context by an encryption context of one entry, a digest, because KMS writes encryption contexts
to CloudTrail in clear; so the service itself refuses a row that was moved, and says so in its log.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import KeyUnavailable, SealBroken, UnknownKey
from ...grants import KeyHealth
from .remote import bound_digest, missing_package, refused, trial

CONNECT_TIMEOUT = 3.0
READ_TIMEOUT = 5.0
ATTEMPTS = 3
CONTEXT_NAME = "vault-aad-sha256"

_ARN = re.compile(r"arn:[a-z-]+:kms:(?P<region>[a-z0-9-]+):\d{12}:key/(?P<id>[A-Za-z0-9-]{1,64})")

_BROKEN = ("InvalidCiphertextException", "IncorrectKeyException")
_UNKNOWN = ("NotFoundException",)

TELLTALES = ("botocore.endpoint", "botocore.parsers")
"""Loggers that at DEBUG write whole bodies: what goes in to be wrapped, and what comes out unwrapped."""

_call = threading.local()

MakeClient = Callable[[str], Any]


class AwsKms:
    """Wraps by the KMS keys of ``arns``, each called by the last part of its ARN.

    Aliases are refused: one that is pointed elsewhere would leave every row behind. Automatic
    rotation in KMS needs nothing here. ``make_client`` makes a boto3 client for a region.
    """

    def __init__(self, arns: Sequence[str], *, make_client: MakeClient | None = None) -> None:
        self._arns: dict[str, str] = {}
        self._regions: dict[str, str] = {}
        for arn in arns:
            match = _ARN.fullmatch(arn)
            if match is None:
                raise refused(
                    "names something that is not the ARN of a KMS key",
                    "write aws-kms:arn:aws:kms:REGION:ACCOUNT:key/ID; an alias is not taken",
                )
            if match["id"] in self._arns:
                raise refused(f"names the KMS key {match['id']} twice")
            self._arns[match["id"]], self._regions[match["id"]] = arn, match["region"]
        self._make_client = make_client or _client
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def kids(self) -> Sequence[str]:
        return tuple(self._arns)

    async def wrap(self, dek: bytes, *, kid: str, context: bytes) -> bytes:
        answer = await self._call(
            kid, "encrypt", KeyId=self._arn(kid), Plaintext=dek, EncryptionContext=_context(kid, context)
        )
        return bytes(answer["CiphertextBlob"])

    async def unwrap(self, wrapped: bytes, *, kid: str, context: bytes) -> bytes:
        answer = await self._call(
            kid,
            "decrypt",
            KeyId=self._arn(kid),
            CiphertextBlob=wrapped,
            EncryptionContext=_context(kid, context),
        )
        return bytes(answer["Plaintext"])

    async def rewrap(self, wrapped: bytes, *, kid: str, to: str, context: bytes) -> bytes:
        """Within a region by ReEncrypt: the data key does not enter this process."""
        if self._region(kid) != self._region(to):
            return await self.wrap(
                await self.unwrap(wrapped, kid=kid, context=context), kid=to, context=context
            )
        answer = await self._call(
            kid,
            "re_encrypt",
            SourceKeyId=self._arn(kid),
            CiphertextBlob=wrapped,
            SourceEncryptionContext=_context(kid, context),
            DestinationKeyId=self._arn(to),
            DestinationEncryptionContext=_context(to, context),
        )
        return bytes(answer["CiphertextBlob"])

    async def health(self) -> Sequence[KeyHealth]:
        return await trial(self)

    def _arn(self, kid: str) -> str:
        if kid not in self._arns:
            raise UnknownKey(f"the KMS key {kid} is not named by vault_keys")
        return self._arns[kid]

    def _region(self, kid: str) -> str:
        self._arn(kid)
        return self._regions[kid]

    async def _call(self, kid: str, operation: str, **arguments: Any) -> Mapping[str, Any]:
        return await asyncio.to_thread(self._blocking, kid, operation, arguments)

    def _blocking(self, kid: str, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        region = self._region(kid)
        with self._lock:  # making a client is not thread-safe; using one is
            if region not in self._clients:
                self._clients[region] = self._make_client(region)
            client = self._clients[region]
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        _quiet_logs()
        _call.secret = True
        try:
            answer: Mapping[str, Any] = getattr(client, operation)(**arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "an error"))[:64]
            raise _refusal(code, kid) from None
        except BotoCoreError as error:
            raise KeyUnavailable(f"AWS KMS cannot be used: {type(error).__name__}") from None
        finally:
            _call.secret = False
        return answer


def _quiet_logs() -> None:
    for name in TELLTALES:
        logging.getLogger(name).addFilter(_not_of_our_calls)


def _not_of_our_calls(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG or not getattr(_call, "secret", False)


def _context(kid: str, context: bytes) -> dict[str, str]:
    return {CONTEXT_NAME: bound_digest(kid, context)}


def _refusal(code: str, kid: str) -> Exception:
    if code in _BROKEN:
        return SealBroken(f"KMS key {kid} did not wrap this, or not for this row")
    if code in _UNKNOWN:
        return UnknownKey(f"AWS KMS knows no key {kid}")
    needs = "; this needs kms:Encrypt and kms:Decrypt" if code == "AccessDeniedException" else ""
    return KeyUnavailable(f"AWS KMS does not let key {kid} be used: {code}{needs}")


def _client(region: str) -> Any:
    try:
        from boto3.session import Session  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise missing_package("boto3", "aws-kms") from None
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return Session().client("kms", region_name=region, config=config)
