from __future__ import annotations

import asyncio
import base64
import io
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.many_rows import fill
from connectors_core import Hub, Registry
from connectors_core.cli import main
from connectors_core.cli.progress import ProgressBar
from connectors_core.storage.database import open_database
from connectors_core.storage.migrations import upgrade
from connectors_core.vault import Keyring, sources
from connectors_core.vault.detached import DetachedSealedRows

ONE, TWO = b"obviously-fake-key-of-32-bytes-1", b"obviously-fake-key-of-32-bytes-2"
ROWS = 25

Run = Callable[..., tuple[int, str, str]]


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with one key in a file, and rows under it."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "k1", "k": encoded(ONE)}]}))
    keys.chmod(0o600)
    url = f"sqlite:///{tmp_path}/connectors.db"
    (tmp_path / "connectors.toml").write_text(f'[host]\ndatabase = "{url}"\nvault_keys = "file:keys.json"\n')
    upgrade(url)
    fill(url, ROWS, ONE, "k1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["vault", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def status(run: Run) -> dict[str, Any]:
    code, said, _ = run("status", "--json")
    assert code == 0
    return {key["kid"]: key for key in json.loads(said)["keys"]}


def test_a_key_made_before_the_first_start_waits_for_its_promotion(run: Run) -> None:
    """Nothing has told the database yet which key wraps: it is the one that was there."""
    assert run("key", "new", "k2")[0] == 0
    assert {kid: key["state"] for kid, key in status(run).items()} == {"k1": "active", "k2": "standby"}


def test_the_first_key_of_all_is_written_and_active(run: Run, folder: Path) -> None:
    import sqlite3

    (folder / "keys.json").unlink()
    with sqlite3.connect(folder / "connectors.db") as connection:
        connection.execute("DELETE FROM connectors_secrets")
    connection.close()
    code, _, complaint = run("status")
    assert (code, "connectors vault key new writes it" in complaint) == (1, True)
    code, said, _ = run("key", "new", "k7")
    assert (code, said.splitlines()[-1]) == (0, "k7 is active, as the first there is")
    assert stat.S_IMODE((folder / "keys.json").stat().st_mode) == 0o600
    assert {kid: key["state"] for kid, key in status(run).items()} == {"k7": "active"}


def test_secrets_of_the_host_count_where_a_plugin_keeps_the_rows(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{folder}/connectors.db"
    keys = Keyring({"k1": ONE, "k2": TWO})

    async def put() -> None:
        async with Hub(Registry(), database=url, keys=keys) as hub:
            await hub.put_secret("signing-key/x", "obviously fake")

    asyncio.run(put())
    upgrade(f"sqlite:///{folder}/away.db")
    away = DetachedSealedRows(open_database(f"sqlite:///{folder}/away.db"))
    monkeypatch.setattr(sources, "open_sealed_rows", lambda url, stores: away)
    with (folder / "connectors.toml").open("a") as file:
        file.write('sealed_rows = "elsewhere://there"\n')
    assert status(run)["k1"]["rows"] == 1


def test_a_rotation_by_the_book(run: Run, folder: Path) -> None:
    assert run("rewrap")[0] == 0
    code, said, _ = run("key", "new", "k2")
    assert code == 0
    assert "made the key k2 in file:keys.json" in said
    assert stat.S_IMODE((folder / "keys.json").stat().st_mode) == 0o600
    assert [key["state"] for key in status(run).values()] == ["active", "standby"]
    assert run("key", "promote", "k2")[0] == 0
    assert {kid: key["rows"] for kid, key in status(run).items()} == {"k1": ROWS, "k2": 0}

    code, said, complaint = run("verify")
    assert code == 1
    assert "25 rows under another key" in complaint
    code, said, _ = run("rewrap", "--json")
    assert code == 0
    assert json.loads(said)["rewrapped"] == ROWS
    code, said, _ = run("verify", "--json")
    assert code == 0
    assert json.loads(said) == {
        "kid": "k2",
        "opened": ROWS,
        "elsewhere": 0,
        "unreadable": 0,
        "unreadable_rows": [],
        "unknown_keys": {},
    }
    assert run("key", "retire", "k1")[0] == 0
    code, _, complaint = run("key", "destroy", "k1")
    assert code == 1
    assert "try again in" in complaint


def test_a_destroyed_key_leaves_the_file(run: Run, folder: Path) -> None:
    import sqlite3

    run("key", "new", "k2")
    run("key", "promote", "k2")
    run("rewrap")
    run("key", "retire", "k1")
    with sqlite3.connect(folder / "connectors.db") as connection:
        connection.execute("UPDATE connectors_vault_keys SET updated_at = updated_at - 100")
    connection.close()
    code, said, _ = run("key", "destroy", "k1")
    assert code == 0
    assert "taken out of file:keys.json" in said
    assert [key["kid"] for key in json.loads((folder / "keys.json").read_text())["keys"]] == ["k2"]
    assert status(run)["k1"]["state"] == "destroyed"
    assert run("verify")[0] == 0


def test_a_key_that_is_here_is_not_lost(run: Run, folder: Path) -> None:
    run("key", "new", "k2")
    run("key", "promote", "k2")
    code, _, complaint = run("key", "destroy", "k1", "--lost")
    assert (code, "k1 is not lost: file:keys.json has it" in complaint) == (1, True)
    assert {kid: key["rows"] for kid, key in status(run).items()} == {"k1": ROWS, "k2": 0}
    keys = json.loads((folder / "keys.json").read_text())["keys"]
    (folder / "keys.json").write_text(json.dumps({"keys": [key for key in keys if key["kid"] == "k2"]}))
    code, said, _ = run("key", "destroy", "k1", "--lost")
    assert (code, "k1 is destroyed" in said) == (0, True)


def test_a_lost_key_that_was_active_is_replaced_and_given_up(run: Run, folder: Path) -> None:
    run("rewrap")
    (folder / "keys.json").unlink()
    code, _, complaint = run("key", "new", "k2")
    assert (code, "if it is lost for good: connectors vault key new --lost" in complaint) == (1, True)
    assert not (folder / "keys.json").exists()
    code, said, complaint = run("key", "new", "k2", "--lost")
    assert (code, complaint) == (0, "")
    assert said.endswith("next, once every host has it: connectors vault key promote k2\n")
    code, _, complaint = run("verify")
    assert (code, "the active key k1 is not among the keys (bring it back; if it is lost" in complaint) == (
        1,
        True,
    )
    assert run("key", "destroy", "k1", "--lost")[0] == 1
    assert run("key", "promote", "k2")[0] == 0
    assert run("key", "destroy", "k1", "--lost")[0] == 0
    code, said, _ = run("status", "--json")
    assert {key["kid"]: (key["state"], key["rows"]) for key in json.loads(said)["keys"]} == {
        "k1": ("destroyed", ROWS),
        "k2": ("active", 0),
    }


def test_a_key_that_is_not_here_is_not_promoted(run: Run, folder: Path) -> None:
    before = (folder / "keys.json").read_text()
    run("key", "new", "k2")
    (folder / "keys.json").write_text(before)
    code, _, complaint = run("key", "promote", "k2")
    assert (code, "there is no key k2 in file:keys.json" in complaint) == (1, True)


def test_unreadable_rows_are_listed_by_id_and_end_in_1(run: Run, folder: Path) -> None:
    import sqlite3

    run("key", "new", "k2")
    run("key", "promote", "k2")
    with sqlite3.connect(folder / "connectors.db") as connection:
        connection.execute("UPDATE connectors_secrets SET target = 'x' WHERE identity = 'identity_0000003'")
        connection.execute("UPDATE connectors_secrets SET kid = 'k0' WHERE identity = 'identity_0000004'")
    connection.close()
    code, said, complaint = run("rewrap")
    assert code == 1
    assert "23 rows rewrapped" in said
    assert f"connectors_secrets default secret_{3:032x}" in complaint
    assert "1 row under the key k0, which is not here" in complaint
    code, said, _ = run("rewrap", "--json")
    assert code == 1
    assert json.loads(said)["unreadable_rows"] == [
        {"table": "connectors_secrets", "tenant": "default", "id": f"secret_{3:032x}"}
    ]
    code, said, complaint = run("status")
    assert code == 1
    assert "keys that are needed cannot be used here: k0" in complaint


def test_a_wrong_key_is_found_before_anything_is_moved(run: Run, folder: Path) -> None:
    assert run("rewrap")[0] == 0
    (folder / "keys.json").write_text(json.dumps({"keys": [{"kty": "oct", "kid": "k1", "k": encoded(TWO)}]}))
    for words in (("rewrap",), ("verify",), ("key", "promote", "k1")):
        code, _, complaint = run(*words)
        assert code == 1
        assert "k1 is not the one that this database knows" in complaint
        assert encoded(TWO) not in complaint
    code, said, complaint = run("status")
    assert (code, "not the key that this database knows by that name" in said) == (1, True)
    assert "keys that are needed cannot be used here: k1" in complaint


def test_status_tells_what_it_can_without_keys(run: Run, folder: Path) -> None:
    run("rewrap")
    (folder / "keys.json").unlink()
    code, said, complaint = run("status")
    assert code == 1
    assert "k1   active  25" in said
    assert "keys.json is not there" in complaint
    assert run("key", "new", "k2")[0] == 1, "rows need what was there"
    assert not (folder / "keys.json").exists()


def test_a_key_that_was_brought_here_is_announced(run: Run, folder: Path) -> None:
    run("rewrap")
    keys = json.loads((folder / "keys.json").read_text())
    keys["keys"].append({"kty": "oct", "kid": "k2", "k": encoded(TWO)})
    (folder / "keys.json").write_text(json.dumps(keys))
    assert status(run)["k2"]["state"] == "new"
    code, said, _ = run("key", "add", "k2")
    assert code == 0
    assert "k2 is known and standby" in said
    assert run("key", "retire", "k2")[0] == 0
    code, said, _ = run("key", "add", "k2")
    assert "taken back" in said
    code, _, complaint = run("key", "add", "k3")
    assert code == 1
    assert "there is no key k3" in complaint


def test_a_key_for_the_environment_is_printed_once(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = folder / "connectors.toml"
    config.write_text(config.read_text().replace("file:keys.json", "env:VAULT_TEST_KEYS"))
    monkeypatch.setenv("VAULT_TEST_KEYS", f"k1:{encoded(ONE)}")
    code, said, complaint = run("key", "new", "k2")
    assert code == 0
    kid, _, key = said.strip().partition(":")
    assert (kid, len(base64.b64decode(key))) == ("k2", 32)
    assert key not in complaint
    assert "add that to env:VAULT_TEST_KEYS on every host" in complaint


def test_without_vault_keys_it_says_what_to_do(run: Run, folder: Path) -> None:
    (folder / "connectors.toml").write_text("[host]\n")
    code, _, complaint = run("status")
    assert code == 1
    assert "host.vault_keys: is missing (set it to file:PATH; connectors vault key new then" in complaint


def test_keys_move_from_a_file_into_a_service_without_touching_a_row(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors_core.vault import Keyring, sources

    run("rewrap")
    root = Keyring({"root": TWO})
    monkeypatch.setattr(sources, "_remote", lambda scheme, names: root)
    config = folder / "connectors.toml"
    config.write_text(config.read_text().replace("file:keys.json", "vault-transit:root"))
    code, _, complaint = run("verify")
    assert code == 1
    assert "connectors vault key add k1 --from file:PATH" in complaint
    code, said, complaint = run("key", "add", "k1", "--from", "file:keys.json")
    assert (code, complaint) == (0, "")
    (folder / "keys.json").unlink()
    assert run("verify")[0] == 0
    code, said, _ = run("key", "new", "k2")
    assert code == 0
    assert "in the database" in said
    assert run("key", "promote", "k2")[0] == 0
    assert run("rewrap")[0] == 0
    told = status(run)
    assert {kid: (key["state"], key["rows"], key["wrapped_by"]) for kid, key in told.items()} == {
        "k1": ("standby", 0, "root"),
        "k2": ("active", ROWS, "root"),
        "root": ("root", 0, None),
    }
    code, _, complaint = run("key", "add", "k1", "--from", "env:NOWHERE")
    assert code == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal_at_most_ten_times_a_second() -> None:
    stream, now = Terminal(), [0.0]
    bar = ProgressBar("rewrap -> k2", stream=stream, clock=lambda: now[0])
    for done in range(0, 1000, 100):
        now[0] += 0.0625
        bar.show(done, 1000)
    bar.close(1000, 1000)
    drawn = stream.getvalue().split("\r")[1:]
    assert len(drawn) == 6, "every second one, and the last"
    assert drawn[-1].startswith("rewrap -> k2 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 1,000/1,000 1,600/s 0:00:00 left")
    assert drawn[-1].endswith("\n")
    assert "──" in drawn[0]


def test_elsewhere_a_line_is_written_every_five_seconds() -> None:
    stream, now = io.StringIO(), [0.0]
    bar = ProgressBar("verify k2", stream=stream, clock=lambda: now[0])
    for done in range(0, 1200, 100):
        now[0] += 1
        bar.show(done, 10_000)
    bar.close(1200, 10_000)
    assert stream.getvalue().splitlines() == [
        "verify k2 400/10,000 80/s 0:02:00 left",
        "verify k2 900/10,000 90/s 0:01:41 left",
    ]
