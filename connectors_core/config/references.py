"""``env:NAME``, ``file:PATH`` and ``literal:TEXT``: where the file says where a secret is, not what it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr

from ..errors import Problem

MAX_FILE = 64 * 1024
"""Bytes of a file that a reference may name."""

KERNEL = (Path("/proc"), Path("/dev"), Path("/sys"))
"""Where files are views of the system: ``/proc/self/environ`` holds every variable of the process."""

_LOOKS_LIKE_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[./~\w].*")

Place = tuple[str | int, ...]


class References:
    """Resolves the references of the file ``source`` and remembers every mistake and every secret.

    ``forbidden`` are references that no connector may make. ``literals`` are the places of secrets
    that stand in the file itself; ``secrets`` their values and the resolved ones, to be kept out of
    messages.
    """

    def __init__(
        self, environ: Mapping[str, str], *, folder: Path, source: str, forbidden: Collection[str] = ()
    ) -> None:
        self.problems: list[Problem] = []
        self.literals: list[tuple[str, ...]] = []
        self.secrets: set[str] = set()
        self._environ = environ
        self._folder = folder
        self._source = source
        self._forbidden = {self._same(reference) for reference in forbidden}

    def resolve(
        self, value: str, path: tuple[str, ...], *, secret: bool, guarded: bool = False
    ) -> str | None:
        """Return what ``value`` stands for, or None after noting why it cannot be had.

        ``secret`` says that the value is one; ``guarded`` that ``forbidden`` references are refused.
        """
        scheme, _, rest = value.partition(":")
        if scheme == "literal":
            resolved: str | None = rest
        elif scheme not in ("env", "file"):
            resolved = value
        elif guarded and self._same(value) in self._forbidden:
            return self._problem(
                path, "refers to the host's own keys or admin token", "a connector has secrets of its own"
            )
        elif scheme == "env":
            resolved = self._variable(rest, path)
        else:
            resolved = self._file(rest, path)
        if resolved is not None and secret:
            if resolved:
                self.secrets.add(resolved)
            if scheme not in ("env", "file"):
                self.literals.append(path)
        return resolved

    def names_missing(self, reference: str) -> str:
        """Why an ``env:`` or ``file:`` reference leads nowhere, or ``""``; reads no file."""
        scheme, _, rest = reference.partition(":")
        if scheme == "env" and not self._environ.get(rest):
            return f"the environment variable {rest} is not set"
        if scheme == "file" and not self._path(rest).is_file():
            return f"there is no file {rest}"
        return ""

    def _variable(self, name: str, path: tuple[str, ...]) -> str | None:
        if not name:
            return self._problem(path, "names no environment variable", "write env:NAME")
        value = self._environ.get(name)
        if value is None:
            return self._problem(path, f"the environment variable {name} is not set", f"set {name}")
        if not value:
            return self._problem(path, f"the environment variable {name} is empty", f"set {name}")
        return value

    def _file(self, name: str, path: tuple[str, ...]) -> str | None:
        if not name:
            return self._problem(path, "names no file", "write file:PATH")
        try:
            file = self._path(name).resolve()
            if any(file.is_relative_to(folder) for folder in KERNEL) or (
                file.exists() and not file.is_file()
            ):
                return self._problem(path, f"the file {name} is no regular file", "name a file of its own")
            if file == Path(self._source).resolve():
                return self._problem(path, f"the file {name} is this file itself", "name a file of its own")
            with file.open("rb") as stream:
                content = stream.read(MAX_FILE + 1)
            if len(content) > MAX_FILE:
                return self._problem(path, f"the file {name} is larger than {MAX_FILE} bytes")
            text = content.decode().rstrip("\r\n")
        except OSError as error:
            return self._problem(path, f"the file {name} cannot be read: {error.strerror}")
        except ValueError:
            return self._problem(path, f"the file {name} does not hold UTF-8 text")
        except RuntimeError:  # pathlib's, for a loop of links and for "~" of nobody
            return self._problem(path, f"the file {name} cannot be found")
        return text or self._problem(path, f"the file {name} is empty")

    def _path(self, name: str) -> Path:
        return self._folder / Path(name).expanduser()

    def _same(self, reference: str) -> str:
        """One spelling for references to one thing."""
        scheme, _, rest = reference.partition(":")
        try:
            return f"file:{self._path(rest).resolve()}" if scheme == "file" and rest else reference
        except (OSError, RuntimeError, ValueError):
            return reference

    def _problem(self, path: tuple[str, ...], message: str, cure: str = "") -> str | None:
        self.problems.append(Problem(path, message, cure, self._source))
        return None


def looks_like_reference(value: object) -> bool:
    """Tell whether someone probably meant a reference."""
    return isinstance(value, str) and _LOOKS_LIKE_REFERENCE.fullmatch(value) is not None


def strings(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every string within tables and arrays, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from strings(inner, (*place, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, (*place, index))


def secret_places(annotation: Any, value: Any, place: Place = ()) -> set[Place]:
    """Where in ``value`` stand strings that the annotation marks secret (``SecretStr``), however deep."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return secret_places(get_args(annotation)[0], value, place)
    if origin in (Union, UnionType):
        return {found for kind in get_args(annotation) for found in secret_places(kind, value, place)}
    if isinstance(value, str):
        is_secret = isinstance(annotation, type) and issubclass(annotation, (SecretStr, SecretBytes))
        return {place} if is_secret else set()
    if isinstance(value, list):
        kinds = [kind for kind in get_args(annotation) if kind is not ...]
        return {
            found
            for index, inner in enumerate(value)
            for kind in kinds
            for found in secret_places(kind, inner, (*place, index))
        }
    if not isinstance(value, Mapping):
        return set()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {
            found
            for name, spec in annotation.model_fields.items()
            for key in {name, spec.alias} & value.keys()
            if key is not None
            for found in secret_places(spec.annotation, value[key], (*place, key))
        }
    if len(of := get_args(annotation)) == 2:
        return {
            found for key, inner in value.items() for found in secret_places(of[1], inner, (*place, str(key)))
        }
    return set()


def replaced(value: Any, changes: Mapping[Place, Any], place: Place = ()) -> Any:
    """A copy of tables and arrays with the values at some places replaced."""
    if place in changes:
        return changes[place]
    if isinstance(value, Mapping):
        return {key: replaced(inner, changes, (*place, str(key))) for key, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, changes, (*place, index)) for index, inner in enumerate(value)]
    return value
