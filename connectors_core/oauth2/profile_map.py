"""A declared way from a provider's answer to a profile."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import ConfigurationError, Problem, ProfileInvalid
from ..profile import Profile
from ..tokens import EMPTY

Paths = str | tuple[str, ...]
Value = TypeVar("Value")

MAX_ID = 255
"""Characters of an identifier, as OpenID Connect Core §2 bounds ``sub``."""

_FIELDS = ("id", "name", "avatar", "email", "phone", "email_verified", "phone_verified")
_INDEX = re.compile(r"\[([0-9]{1,6})\]")
_log = logging.getLogger("connectors_core")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileMap:
    """Where in a provider's answer each field of a profile stands.

    A value is a path, or alternatives of which the first usable one counts: a tuple of paths, or
    ``"a | b"``. A path is keys and array indices: ``data.id``, ``images[0].url`` or
    ``images.0.url``; a key that holds dots itself may be written as it is. An empty path is not
    mapped.

    ``string_booleans`` reads the strings "true" and "false" as flags too, for servers that cannot
    send booleans. ``trust_email_because`` and ``trust_phone_because``, a written reason each, count
    an address as verified when the provider does not say; what it says is never overridden.
    Raises ConfigurationError for a path that cannot be one, and when ``id`` has none.
    """

    id: Paths = "id"
    name: Paths = "name"
    avatar: Paths = "avatar"
    email: Paths = "email"
    phone: Paths = "phone"
    email_verified: Paths = ""
    phone_verified: Paths = ""
    string_booleans: bool = False
    trust_email_because: str = ""
    trust_phone_because: str = ""

    def __post_init__(self) -> None:
        problems = []
        for name in _FIELDS:
            for path in _alternatives(getattr(self, name)):
                if not all(_segments(path)) or "[" in _INDEX.sub("", path) or "]" in _INDEX.sub("", path):
                    problems.append(Problem(("profileMap", name), "is not a path", "as data.items[0].id"))
        if not any(_alternatives(self.id)):
            problems.append(Problem(("profileMap", "id"), "is required"))
        if problems:
            raise ConfigurationError(problems)

    def read(self, document: Any) -> Profile:
        """Return the profile that ``document``, any JSON value, describes.

        An optional field of a wrong type is dropped with a warning that names the field. Integers
        become strings for ``id`` only. ``raw`` is the document where that is an object. Raises
        ProfileInvalid when there is no usable id, and nothing else.
        """
        subject = self._field("id", document, _identifier)
        if subject is None:
            raise ProfileInvalid("the provider's answer has no usable id")
        email = self._field("email", document, _text)
        phone = self._field("phone", document, _text)
        return Profile(
            id=subject,
            name=self._field("name", document, _text),
            avatar=self._field("avatar", document, _link),
            email=email,
            email_verified=self._flag("email_verified", document, email, self.trust_email_because),
            phone=phone,
            phone_verified=self._flag("phone_verified", document, phone, self.trust_phone_because),
            raw=document if isinstance(document, Mapping) else EMPTY,
        )

    def _field(self, name: str, document: Any, read: Callable[[object], Value | None]) -> Value | None:
        """The first usable value among the alternatives of ``name``."""
        for path in _alternatives(getattr(self, name)):
            value = find(document, path)
            if value is None or value == "":
                continue
            usable = read(value)
            if usable is not None:
                return usable
            _log.warning("profile field %s was dropped: its value is of no usable type", name)
        return None

    def _flag(self, name: str, document: Any, address: str | None, trusted: str) -> bool | None:
        if address is None:
            return None
        flag = self._field(name, document, self._boolean)
        return True if flag is None and trusted else flag

    def _boolean(self, value: object) -> bool | None:
        if isinstance(value, bool):
            return value
        if self.string_booleans and isinstance(value, str):
            return {"true": True, "false": False}.get(value)
        return None


def find(document: Any, path: str) -> Any:
    """Return what stands at ``path`` in ``document``, None where nothing does. Raises nothing."""
    if isinstance(document, Mapping) and path in document:
        return document[path]
    node = document
    for segment in _segments(path):
        if isinstance(node, Mapping):
            node = node.get(segment)
        elif isinstance(node, list) and segment.isascii() and segment.isdigit() and len(segment) <= 6:
            index = int(segment)
            node = node[index] if index < len(node) else None
        else:
            return None
    return node


def _alternatives(paths: Paths) -> Iterator[str]:
    for path in (paths,) if isinstance(paths, str) else paths:
        yield from filter(None, (part.strip() for part in path.split("|")))


def _segments(path: str) -> list[str]:
    return _INDEX.sub(r".\1", path).removeprefix("." if path.startswith("[") else "").split(".")


def _text(value: object) -> str | None:
    """Text that can be stored and shown: no control characters, no lone surrogates, not blank."""
    if not isinstance(value, str) or not value.strip():
        return None
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        return None
    return value


def _identifier(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 512:
        value = str(value)
    text = _text(value)
    return text if text is not None and len(text) <= MAX_ID else None


def _link(value: object) -> str | None:
    text = _text(value)
    return text if text is not None and text.startswith(("https://", "http://")) else None
