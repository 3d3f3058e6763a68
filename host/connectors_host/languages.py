"""Which language a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DEFAULT = "en"
MAX_HEADER = 1000
"""Characters read of Accept-Language."""


def preferred(header: str) -> list[str]:
    """The language tags of an Accept-Language header, lower case, most wanted first. RFC 9110 §12.5.4."""
    ranked = []
    for position, part in enumerate(header[:MAX_HEADER].split(",")):
        tag, _, parameters = part.partition(";")
        name, _, value = parameters.partition("=")
        try:
            quality = float(value) if name.strip().lower() == "q" else 1.0
        except ValueError:
            continue
        if tag.strip() and 0 < quality <= 1:
            ranked.append((-quality, position, tag.strip().lower()))
    return [tag for _, _, tag in sorted(ranked)]


def choose(tags: Sequence[str], available: Sequence[str]) -> str:
    """The available language that is wanted most, by its primary tag; English where none is."""
    for tag in tags:
        primary = tag.partition("-")[0]
        if primary in available:
            return primary
    return DEFAULT


def localised(texts: Mapping[str, str], tags: Sequence[str]) -> str:
    """The text in the language wanted most, else in English, else any; empty when there is none."""
    by_tag = {tag.lower(): text for tag, text in texts.items()}
    for tag in tags:
        for wanted in (tag, tag.partition("-")[0]):
            if wanted in by_tag:
                return by_tag[wanted]
    return by_tag.get(DEFAULT) or next(iter(by_tag.values()), "")
