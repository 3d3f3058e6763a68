from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.many_rows import fill, tokens_of
from connectors_core.cli import main
from connectors_core.storage.migrations import upgrade

KEY = b"obviously-fake-key-of-32-bytes-1"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    url = f"sqlite:///{tmp_path}/connectors.db"
    (tmp_path / "connectors.toml").write_text(f'[host]\ndatabase = "{url}"\n')
    upgrade(url)
    fill(url, 3, KEY, "k1")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["tokens", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_what_is_stored_is_listed_without_a_key_and_without_a_token(run: Run) -> None:
    code, said, _ = run("list")
    assert code == 0
    head, *lines = said.splitlines()
    assert head.split() == ["OWNER", "TARGET", "STATUS", "REASON", "SCOPES", "EXPIRES", "UPDATED"]
    assert [line.split()[:3] for line in lines] == [[f"user:{n:07}", "acme", "active"] for n in range(3)]
    tokens = tokens_of(0)
    for secret in (tokens.access_token, tokens.refresh_token):
        assert secret is not None
        for words in (("list",), ("list", "--json"), ("show", "user:0000000", "acme")):
            assert secret not in run(*words)[1]


def test_a_target_narrows_the_list(run: Run) -> None:
    assert json.loads(run("list", "--target", "acme", "--json")[1])["tokens"][2]["owner"] == "user:0000002"
    assert json.loads(run("list", "--target", "other", "--json")[1]) == {"tokens": []}
    code, said, complaint = run("list", "--target", "other")
    assert (code, said) == (0, "")
    assert "no tokens are stored for other" in complaint


def test_one_is_shown_with_all_that_is_known(run: Run) -> None:
    code, said, _ = run("show", "user:0000001", "acme", "--json")
    assert code == 0
    (told,) = json.loads(said)["tokens"]
    assert told["status"] == "active"
    assert told["scopes"] == ["email", "openid"]
    assert told["expires_at"] == "2096-10-02T07:06:40+00:00"
    assert told["key"] == "k1"
    code, said, _ = run("show", "user:0000001", "acme")
    assert "has_refresh_token      yes" in said.splitlines()


def test_what_is_not_there_ends_in_1(run: Run) -> None:
    for words in (
        ("show", "nobody", "acme"),
        ("show", "user:0000001", "other"),
        ("revoke", "nobody", "acme"),
    ):
        code, _, complaint = run(*words)
        assert code == 1
        assert "no tokens of" in complaint


def test_revoking_forgets_the_tokens_of_one_and_of_no_other(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import base64

    config = tmp_path / "connectors.toml"
    config.write_text(config.read_text() + 'vault_keys = "env:VAULT_TEST_KEYS"\n')
    monkeypatch.setenv("VAULT_TEST_KEYS", f"k1:{base64.b64encode(KEY).decode()}")
    code, said, complaint = run("revoke", "user:0000001", "acme")
    assert code == 0, complaint
    assert "forgotten; the provider was not told" in said
    left = json.loads(run("list", "--json")[1])["tokens"]
    assert [told["owner"] for told in left] == ["user:0000000", "user:0000002"]


def test_an_identity_that_is_not_among_them_is_not_revoked(run: Run) -> None:
    code, _, complaint = run("revoke", "user:0000001", "acme", "--identity", "other")
    assert code == 1
    assert "0 identities match" in complaint
    assert len(json.loads(run("list", "--json")[1])["tokens"]) == 3
