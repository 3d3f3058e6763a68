"""Write the table of ``docs/errors.md`` from the exception tree: ``python checks/errors_page.py``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from connectors_core import ConnectorError, errors

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
BEGIN, END = "<!-- table: python checks/errors_page.py -->", "<!-- end of table -->"


def tree(root: type[ConnectorError]) -> Iterator[tuple[int, type[ConnectorError]]]:
    """``root`` and everything below it that is ours, in the order of the source, with its depth."""
    yield 0, root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from ((depth + 1, error) for depth, error in tree(child))


def row(depth: int, error: type[ConnectorError]) -> str:
    meaning = " ".join(inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0].split()).replace("``", "`")
    name = "&emsp;" * depth + f"`{error.__name__}`"
    return f"| {name} | `{error.code}` | `{error.step}` | {meaning.replace('|', chr(92) + '|')} |"


def table() -> str:
    rows = [row(depth, error) for depth, error in tree(ConnectorError)]
    return "\n".join(["| exception | code | step | meaning |", "|---|---|---|---|", *rows])


def rendered(page: str) -> str:
    """``page`` with the table as it must be."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
