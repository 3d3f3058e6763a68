from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors_core.cli import main
from connectors_core.cli.commands import COMMANDS_GROUP
from connectors_core.registry import PLUGINS_GROUP

COMMAND = """
import sys
from connectors_core.errors import ConnectorMisconfigured


class Command:
    help = "greet, 100% of the time"

    def configure(self, parser):
        parser.add_argument("name")
        parser.add_argument("--raise", dest="raised")

    def run(self, arguments):
        if arguments.raised == "ours":
            raise ConnectorMisconfigured("the greeting is misconfigured")
        if arguments.raised == "foreign":
            raise LookupError(arguments.name)
        print(f"hello {arguments.name} from {arguments.config} {arguments.config_given}")
        return 0


command = Command()
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    installation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the script in an empty folder; returns exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONNECTORS_CONFIG", raising=False)

    def run_main(*argv: str) -> tuple[int, str, str]:
        try:
            code = main(argv)
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run_main


def test_the_version_is_told(run: Run) -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("connectors ")


@pytest.mark.parametrize(
    "argv",
    [(), ("frobnicate",), ("schema",), ("check", "--loud"), ("db",), ("db", "downgrade"), ("--conf", "x")],
)
def test_wrong_usage_is_exit_code_2(run: Run, argv: tuple[str, ...]) -> None:
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("usage: ")


def test_list_shows_every_type_in_aligned_columns(run: Run, installation: Any) -> None:
    installation.connector("acme", extra="\n    async def refresh(self, tokens, *, scopes=None): ...\n")
    installation.connector("b", distribution="connectors-b", version="10.2")
    installation.add("acme-bad", {"connectors_core.types": {"bad": "bad:Type"}}, {"bad": "raise SystemExit"})
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "ID    DISTRIBUTION       STATUS  CAPABILITIES  CAUSE",
        "acme  acme-acme 1.0      loaded  refreshes     -",
        "b     connectors-b 10.2  loaded  -             -",
        "bad   acme-bad 1.0       failed  -             SystemExit (in bad, line 1)",
    ]


def test_list_shows_tracebacks_when_asked(run: Run, installation: Any) -> None:
    installation.add("acme-bad", {"connectors_core.types": {"bad": "bad:Type"}}, {"bad": "raise OSError"})
    assert "Traceback" not in "".join(run("list")[1:])
    assert "Traceback" in run("list", "--verbose")[2]
    assert "Traceback" in run("--verbose", "list")[2]


def test_list_prints_one_document_and_nothing_else(run: Run, installation: Any) -> None:
    installation.connector("acme", extra="\nprint('a plugin that talks')\n")
    installation.connector("acme", distribution="zzz")
    code, out, err = run("list", "--json")
    assert code == 0
    assert "a plugin that talks" in err
    assert json.loads(out) == {
        "types": [
            {
                "id": "acme",
                "distribution": "acme-acme",
                "version": "1.0",
                "status": "loaded",
                "capabilities": [],
                "cause": "",
            },
            {
                "id": "acme",
                "distribution": "zzz",
                "version": "1.0",
                "status": "shadowed",
                "capabilities": [],
                "cause": "acme-acme provides this id",
            },
        ]
    }


def test_list_obeys_the_lists_of_the_configuration_file(run: Run, installation: Any) -> None:
    module = installation.connector("acme")
    Path("connectors.toml").write_text('[plugins]\nblock = ["acme"]\n')
    assert "blocked" in run("list")[1]
    assert module not in sys.modules
    Path("connectors.toml").write_text("[plugins\n")
    assert run("list")[0] == 1
    assert module not in sys.modules


def test_list_without_types_says_so(run: Run) -> None:
    assert run("list") == (0, "", "no connector types are installed\n")
    assert json.loads(run("list", "--json")[1]) == {"types": []}


def test_schema_is_the_schema_of_the_config_model(run: Run, installation: Any) -> None:
    installation.connector("acme")
    code, out, _ = run("schema", "acme")
    schema = json.loads(out)
    assert code == 0
    assert {"clientId", "clientSecret", "oneTap"} <= schema["properties"].keys()
    assert schema["required"] == ["clientId"]
    assert schema["additionalProperties"] is False


def test_schema_of_a_type_that_is_not_there_is_exit_code_1(run: Run, installation: Any) -> None:
    installation.connector("acme")
    code, out, err = run("schema", "acne")
    assert (code, out) == (1, "")
    assert err == "error: connector type 'acne' is not installed; did you mean acme?\n"


def test_check_of_a_good_file(run: Run, installation: Any) -> None:
    installation.connector("acme")
    Path("connectors.toml").write_text('[connectors.acme.config]\nclientId = "a"\n')
    assert run("check") == (0, "connectors.toml: 1 connector, no problems\n", "")


def test_check_tells_what_has_no_effect_yet(
    run: Run, installation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors_core.config.not_yet.NOT_YET", {("host", "sign_up"): "not yet"})
    Path("connectors.toml").write_text("[host]\nsign_up = false\n")
    code, out, err = run("check", "--strict")
    assert (code, err) == (0, "")
    assert out.startswith("note: connectors.toml: host.sign_up: has no effect in this version (not yet)\n")


def test_check_tells_every_problem(run: Run, installation: Any) -> None:
    Path("connectors.toml").write_text("[host]\nstrict = 1\n[connectors.acme]\n")
    code, out, err = run("check")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "error: connectors.toml: host.strict: must be true or false",
        "error: connectors.toml: connectors.acme.type: connector type 'acme' is not installed"
        " (no types are installed)",
        "connectors.toml: 2 problems",
    ]


def test_check_tells_which_extra_the_database_needs(
    run: Run, installation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "connectors_core.storage.postgresql", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "psycopg"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    Path("connectors.toml").write_text('[host]\ndatabase = "postgresql://127.0.0.1/connectors"\n')
    code, out, err = run("check")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "error: connectors.toml: host.database: PostgreSQL needs the package psycopg"
        " (pip install 'connectors-core[postgresql]')",
        "connectors.toml: 1 problem",
    ]


def test_check_tells_of_a_database_that_names_no_file(run: Run, installation: Any) -> None:
    Path("connectors.toml").write_text('[host]\ndatabase = "sqlite://a.db"\n')
    code, _, err = run("check")
    assert code == 1
    assert "connectors.toml: host.database: the SQLite URL names no file" in err


def test_check_tells_of_plugins_that_cannot_be_used(run: Run, installation: Any) -> None:
    installation.connector("acme")
    installation.connector("acme", distribution="zzz")
    installation.connector("newer", extra="\n    contract = 2\n")
    installation.add("bad-hooks", {PLUGINS_GROUP: {"hooks": "bad"}}, {"bad": "raise OSError('no')"})
    Path("connectors.toml").write_text("")
    code, out, err = run("check")
    assert (code, out) == (0, "connectors.toml: 0 connectors, no problems, 3 warnings\n")
    assert err.splitlines() == [
        "warning: type acme of zzz 1.0 is shadowed: acme-acme provides this id",
        "warning: type newer of acme-newer 1.0 is incompatible: written for contract 2; this is contract 1",
        "warning: plugin hooks of bad-hooks 1.0 is failed: OSError: no (in bad, line 1)",
    ]
    code, out, err = run("check", "--strict")
    assert (code, out) == (1, "")
    assert err.count("error: ") == 3


def test_check_strictly_fails_for_a_secret_that_others_can_read(
    run: Run, installation: Any, canary: Any
) -> None:
    installation.connector("acme")
    path = Path("connectors.toml")
    path.write_text(
        f'[connectors.acme.config]\nclientId = "a"\nclientSecret = "{canary.secret("client-secret")}"\n'
    )
    path.chmod(0o644)
    code, out, err = run("check")
    assert (code, err.count("warning: ")) == (0, 1)
    canary.check(out, err)
    code, out, err = run("check", "--strict")
    assert (code, err.count("error: ")) == (1, 1)
    canary.check(out, err)


def test_the_configuration_file_is_named_or_in_the_environment_or_here(
    run: Run, installation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run("check")
    assert code == 1
    assert "connectors.toml: there is no such file (connectors init, of connectors-host, writes one;" in err
    for name in ("environment", "before", "after"):
        (tmp_path / f"{name}.toml").write_text("")
    monkeypatch.setenv("CONNECTORS_CONFIG", "environment.toml")
    assert run("check")[1] == "environment.toml: 0 connectors, no problems\n"
    assert run("--config", "before.toml", "check")[1] == "before.toml: 0 connectors, no problems\n"
    assert run("check", "--config=after.toml")[1] == "after.toml: 0 connectors, no problems\n"


def test_db_upgrade_brings_the_schema_to_this_version(
    run: Run, installation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors_core.storage import migrations

    upgraded: list[tuple[str, str]] = []
    monkeypatch.setattr(migrations, "upgrade", lambda url, place: upgraded.append((url, place.name)))
    monkeypatch.setattr(migrations, "locations", lambda: [migrations.OWN])
    Path("connectors.toml").write_text('[host]\ndatabase = "sqlite:///here.db"\n')
    assert run("db", "upgrade") == (0, "connectors: up to date\n", "")
    assert upgraded == [("sqlite:///here.db", "connectors")]


def test_commands_of_other_distributions_are_found(run: Run, installation: Any) -> None:
    installation.add("acme-greet", {COMMANDS_GROUP: {"greet": "greet:command"}}, {"greet": COMMAND})
    assert "greet, 100% of the time" in run("--help")[1]
    assert run("greet", "Ada") == (0, "hello Ada from connectors.toml False\n", "")
    assert run("greet", "Ada", "--config", "x.toml") == (0, "hello Ada from x.toml True\n", "")
    assert run("--config", "x.toml", "greet", "Ada") == (0, "hello Ada from x.toml True\n", "")
    assert run("greet")[0] == 2


def test_our_own_commands_do_not_import_those_of_others(run: Run, installation: Any) -> None:
    installation.add("acme-greet", {COMMANDS_GROUP: {"greet": "greet:command"}}, {"greet": COMMAND})
    run("list")
    assert "greet" not in sys.modules


def test_an_error_of_ours_is_a_message_and_never_a_traceback(run: Run, installation: Any) -> None:
    installation.add("acme-greet", {COMMANDS_GROUP: {"greet": "greet:command"}}, {"greet": COMMAND})
    assert run("greet", "Ada", "--raise", "ours") == (1, "", "error: the greeting is misconfigured\n")


def test_any_other_error_is_told_by_its_class_alone(run: Run, installation: Any, canary: Any) -> None:
    installation.add("acme-greet", {COMMANDS_GROUP: {"greet": "greet:command"}}, {"greet": COMMAND})
    code, out, err = run("greet", canary.secret("token"), "--raise", "foreign")
    assert (code, out) == (1, "")
    assert err == "error: greet failed with LookupError; --verbose shows where\n"
    assert "Traceback" in run("--verbose", "greet", "Ada", "--raise", "foreign")[2]


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise SystemExit(4)", "SystemExit: 4 (in greet, line 1)"),
        ("command = 3", "is not a command (help, configure, run)"),
        (COMMAND.replace('parser.add_argument("name")', "raise OSError('torn')"), "OSError: torn (in greet"),
    ],
)
def test_a_broken_command_is_told_and_breaks_no_other(
    run: Run, installation: Any, source: str, cause: str
) -> None:
    installation.add("acme-greet", {COMMANDS_GROUP: {"greet": "greet:command"}}, {"greet": source})
    installation.add("acme-wave", {COMMANDS_GROUP: {"wave": "wave:command"}}, {"wave": COMMAND})
    code, out, _ = run("--help")
    assert code == 0
    assert "greet: unavailable: " in out
    assert cause in out
    assert run("wave", "Ada")[0] == 0
    code, out, err = run("greet", "Ada")
    assert (code, out) == (1, "")
    assert err.startswith("error: greet is unavailable: ")
    assert cause in err


def test_a_command_cannot_take_the_name_of_ours_nor_two_share_one(run: Run, installation: Any) -> None:
    installation.add(
        "acme-greet",
        {COMMANDS_GROUP: {"check": "greet:command", "greet": "greet:command"}},
        {"greet": COMMAND},
    )
    installation.add("connectors-host", {COMMANDS_GROUP: {"greet": "ours:command"}}, {"ours": COMMAND})
    Path("connectors.toml").write_text("")
    assert run("check")[1] == "connectors.toml: 0 connectors, no problems\n"
    assert run("greet", "Ada")[0] == 0
    assert "greet" not in sys.modules
    out = run("--help")[1]
    assert "greet: not used from acme-greet 1.0" in out
    assert "check: not used from acme-greet 1.0" in out
