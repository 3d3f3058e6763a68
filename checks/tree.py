"""Check what is committed: ``python checks/tree.py``.

No tracked file names a package registry's host, an index option, or a path of the machine it was
written on; and what ``git status`` shows is nothing, where ``CI`` is set (a build or a test that
writes into the tree would be found here).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

INDEX = re.compile(
    r"^\s*--(extra-)?index-url|^\s*--find-links|\bregistry\s*=\s*[\"\']?https?:"
    r"|\"resolved\"\s*:\s*\"(https?|file):|https?://[^\s\"')]+\.(whl|tar\.gz|tgz)\b",
    re.MULTILINE,
)


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout


def configured_hosts() -> set[str]:
    """The registry hosts that this machine's own clients are set up with."""
    commands = [[sys.executable, "-m", "pip", "config", "list"], ["npm", "config", "get", "registry"]]
    found: set[str] = set()
    for command in commands:
        try:
            printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        except OSError:
            continue
        hosts = (urlsplit(url).hostname for url in re.findall(r"https?://[^\s'\"]+", printed))
        found.update(host for host in hosts if host)
    return found


def machine_paths(root: Path) -> set[str]:
    """Folders that only this machine has."""
    found = {Path.home(), root}
    if root.parent != Path(tempfile.gettempdir()):
        found.add(root.parent)
    return {f"{folder}/" for folder in found if folder != Path("/")}


def findings(root: Path) -> Iterator[str]:
    """Every line that must not be committed: file, line number, why."""
    words = dict.fromkeys(machine_paths(root), "a path of this machine")
    words |= dict.fromkeys(configured_hosts(), "a registry's host")
    for name in git(root, "ls-files", "-z").split("\0"):
        path = root / name
        if not name or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        places = [(match.start(), "an index or a download address") for match in INDEX.finditer(text)]
        places += [(text.index(word), why) for word, why in words.items() if word in text]
        for place, why in places:
            yield f"{name}:{text.count(chr(10), 0, place) + 1}: {why}"


def main(root: Path) -> int:
    found = list(findings(root))
    if os.environ.get("CI"):
        found += [f"{line[3:]}: not committed" for line in git(root, "status", "--porcelain").splitlines()]
    print("\n".join(found) or f"{len(git(root, 'ls-files').splitlines())} tracked files are clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parents[1].resolve()))
