"""``connectors oidc key``: what an operator sees of the keys that sign, and how they change."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from connectors_host.commands.init import new_keys
from joserfc.jwk import RSAKey

from connectors_core.cli import main
from connectors_core.hub import Hub
from tests.canary import Canary

Run = Callable[..., tuple[int, str, str]]
APP = '[apps.shop]\nsecret = "env:APP_SECRET"\nredirect_uris = ["https://shop.test/callback"]\n'


@pytest.fixture
def folder(tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with an application and a key file, which has not run yet."""
    for name, text in (
        ("connectors.toml", '[host]\nvault_keys = "file:keys.json"\n' + APP),
        ("keys.json", json.dumps(new_keys())),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("APP_SECRET", canary.secret("app-secret"))
    return tmp_path


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    """Every private key that is made is a secret that nobody may print."""
    put = Hub.put_secret

    async def watching(self: Hub, name: str, secret: str) -> None:
        canary.watch(json.loads(secret)["d"], "a private key")
        await put(self, name, secret)

    monkeypatch.setattr(Hub, "put_secret", watching)


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], canary: Canary) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["oidc", "key", *words])
        said = capsys.readouterr()
        canary.check(said.out, said.err)
        return code, said.out, said.err

    return run


def listed(run: Run) -> list[dict[str, Any]]:
    code, said, _ = run("list", "--json")
    assert code == 0
    keys: list[dict[str, Any]] = json.loads(said)["keys"]
    return keys


def test_the_first_key_signs_at_once_and_the_next_one_tomorrow(run: Run, folder: Path) -> None:
    assert run("list") == (0, "", "there is no key yet; the first host that needs one makes it\n")
    code, said, _ = run("rotate")
    assert code == 0
    assert "signs, every host follows within 30 s" in said
    code, said, complaint = run("rotate")
    assert (code, complaint) == (0, "")
    assert "is published, and signs from 20" in said
    first, second = listed(run)
    assert (first["state"], second["state"]) == ("signing", "waiting")
    assert first["until"] == second["until"]
    assert first["sealed"]
    assert second["sealed"]
    assert {key["age"] <= 60 for key in (first, second)} == {True}
    assert first.keys() == {"kid", "state", "until", "age", "sealed"}
    _, said, _ = run("list")
    lines = said.splitlines()
    assert lines[0].split()[:3] == [first["kid"], "signing", "0"]
    assert lines[1].split()[:3] == [second["kid"], "waiting", "0"]
    assert "in the clear" not in said


def test_a_second_rotation_changes_nothing_while_a_key_waits(run: Run) -> None:
    run("rotate")
    run("rotate")
    before = listed(run)
    code, said, complaint = run("rotate")
    assert code == 0
    assert complaint == "another key waits already; nothing was changed\n"
    assert before[1]["kid"] in said
    assert [key["kid"] for key in listed(run)] == [key["kid"] for key in before]


def test_after_a_leak_one_key_is_left(run: Run, folder: Path) -> None:
    run("rotate")
    run("rotate")
    before = listed(run)
    code, said, _ = run("rotate", "--now")
    assert code == 0
    assert "all keys before it are gone" in said
    (key,) = listed(run)
    assert key["kid"] not in {each["kid"] for each in before}
    with sqlite3.connect(folder / "connectors.db") as connection:
        sealed = connection.execute("SELECT COUNT(*) FROM connectors_connector_secrets").fetchone()
    connection.close()
    assert sealed == (1,)


def test_listing_needs_no_key_of_the_vault_and_changing_does(run: Run, folder: Path) -> None:
    run("rotate")
    (folder / "keys.json").unlink()
    assert len(listed(run)) == 1
    code, _, complaint = run("rotate")
    assert code == 1
    assert "there is no file keys.json, and there is an application" in complaint


def test_without_keys_of_a_vault_it_says_that_the_key_lies_in_the_clear(
    run: Run, folder: Path, canary: Canary
) -> None:
    (folder / "connectors.toml").write_text(APP)
    code, _, complaint = run("rotate")
    assert code == 0
    assert "warning: " in complaint
    assert "host.vault_keys: is missing, so what signs for applications lies" in complaint
    _, said, _ = run("list")
    assert said.rstrip().endswith("in the clear")
    assert main(["check"]) == 0
    with sqlite3.connect(folder / "connectors.db") as connection:
        (private_key,) = connection.execute("SELECT private_key FROM host_signing_keys").fetchone()
    connection.close()
    canary.check(said, complaint)
    assert RSAKey.import_key(json.loads(private_key)).is_private


@pytest.mark.parametrize(
    "left", [APP, '[host]\nvault_keys = "file:keys.json"\n'], ids=["no keys", "no application"]
)
def test_none_in_the_clear_follows_upon_one_that_is_sealed(run: Run, folder: Path, left: str) -> None:
    run("rotate")
    before = listed(run)
    (folder / "connectors.toml").write_text(left)
    code, said, complaint = run("rotate")
    assert (code, said) == (1, "")
    assert "the key that signs is sealed, the next would not be" in complaint
    assert "rotate --now" in complaint
    assert [key["kid"] for key in listed(run)] == [key["kid"] for key in before]
    code, _, complaint = run("rotate", "--now")
    (key,) = listed(run)
    assert (code, key["sealed"]) == (0, False)
    assert f"{key['kid']} lies in the clear" in complaint


@pytest.mark.parametrize("change", ["list", "rotate"])
def test_a_database_in_memory_has_no_key_to_tell_of(run: Run, folder: Path, change: str) -> None:
    (folder / "connectors.toml").write_text('[host]\ndatabase = "sqlite://"\n')
    code, said, complaint = run(change)
    assert (code, said) == (1, "")
    assert "host.database: is in memory" in complaint


def test_what_is_sealed_opens_for_the_host_that_has_the_keys(run: Run, folder: Path) -> None:
    from connectors_host.signing_keys import SigningKeys

    run("rotate")

    async def current() -> str | None:
        async with Hub.from_config(folder / "connectors.toml") as hub:
            return (await SigningKeys(hub, clock=hub.now).current()).kid

    assert asyncio.run(current()) == listed(run)[0]["kid"]
