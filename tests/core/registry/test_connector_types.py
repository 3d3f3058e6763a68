from __future__ import annotations

import importlib.metadata
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from connectors_core.connector import Connector, ConnectorConfig
from connectors_core.errors import ConnectorMisconfigured, NotFound
from connectors_core.metadata import ConnectorMetadata
from connectors_core.registry import TYPES_GROUP, Registry, Status


class Complete(Connector):
    id = "complete"
    metadata = ConnectorMetadata(name={"en": "Complete"})

    async def authorization_uri(self, transaction: Any) -> Any: ...

    async def exchange(self, callback: Any, transaction: Any) -> Any: ...

    async def profile(self, api: Any, tokens: Any) -> Any: ...


def statuses(registry: Registry) -> dict[str, str]:
    return {entry.id: entry.status for entry in registry.load_all()}


def test_an_installed_type_is_imported_on_first_use(installation: Any) -> None:
    module = installation.connector("acme")
    registry = Registry.from_entry_points()
    [entry] = registry.entries()
    assert (entry.id, entry.distribution, entry.version) == ("acme", "acme-acme", "1.0")
    assert entry.status is Status.AVAILABLE
    assert module not in sys.modules
    assert registry.type("acme").id == "acme"
    assert registry.entries()[0].status is Status.LOADED


def test_a_thousand_installed_types_cost_no_imports(installation: Any) -> None:
    for number in range(1000):
        name = f"type{number}"
        installation.add(f"fake-{number}", {TYPES_GROUP: {name: f"fake_{number}:Type"}})
    before = set(sys.modules)
    registry = Registry.from_entry_points()
    assert len(registry.entries()) == 1000
    assert {entry.status for entry in registry.entries()} == {Status.AVAILABLE}
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ("import missing_library", "ModuleNotFoundError: No module named 'missing_library'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('first\\nsecond')", "ValueError: first second"),
        ("raise BaseException", "BaseException"),
        ("this is no Python", "SyntaxError"),
        ("raise RuntimeError('x' * 5000)", "x…"),
        ("class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute", "Mute"),
    ],
)
def test_a_plugin_that_raises_on_import_spoils_only_itself(
    installation: Any, statement: str, cause: str
) -> None:
    installation.add("acme-bad", {TYPES_GROUP: {"bad": "bad_module:Type"}}, {"bad_module": statement})
    installation.connector("good")
    registry = Registry.from_entry_points()
    assert statuses(registry) == {"bad": "failed", "good": "loaded"}
    [bad] = registry.failures
    assert cause in bad.cause
    assert len(bad.cause) < 400
    assert bad.traceback
    assert bad.traceback not in repr(bad)
    with pytest.raises(ConnectorMisconfigured, match=r"acme-bad 1\.0 is failed"):
        registry.type("bad")


def test_the_cause_names_the_module_that_raised(installation: Any) -> None:
    installation.add(
        "acme-bad",
        {TYPES_GROUP: {"bad": "outer_module:Type"}},
        {"outer_module": "import inner_module", "inner_module": "\n\nraise KeyError('it')"},
    )
    [entry] = Registry.from_entry_points().load_all()
    assert entry.cause.endswith("(in inner_module, line 3)")


def test_an_interrupt_during_an_import_is_not_contained(installation: Any) -> None:
    installation.add(
        "acme-bad", {TYPES_GROUP: {"bad": "bad_module:Type"}}, {"bad_module": "raise KeyboardInterrupt"}
    )
    with pytest.raises(KeyboardInterrupt):
        Registry.from_entry_points().load_all()


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        ("Type = 3", "failed", "is not a class but int"),
        ("class Type: pass", "failed", "Type is not a subclass of Connector"),
        ("class Type: contract = 2", "incompatible", "written for contract 2; this is contract 1"),
        ("class Type(Complete): contract = 2", "incompatible", "written for contract 2"),
        ("class Type(Complete): contract = '1'", "failed", "its contract is not a number"),
        ("class Type(Complete): id = 'google'", "failed", "calls itself 'google' and is registered as 'odd'"),
        ("class Type(Complete): id = 'a/b'", "failed", "its id must be"),
        ("class Type(Complete): id = 7", "failed", "its id must be"),
        (
            "class Type(Connector): id = 'odd'",
            "failed",
            "does not implement authorization_uri, exchange, profile",
        ),
        ("class Type(Complete): Config = dict", "failed", "its Config is not a subclass of ConnectorConfig"),
        ("class Type(Complete): metadata = {}", "failed", "has no metadata"),
        (
            "class Type(Complete): metadata = ConnectorMetadata(name={'de': 'Seltsam'})",
            "failed",
            'no name in "en"',
        ),
        ("class Type(Complete): metadata = ConnectorMetadata(name={'en': ' '})", "failed", 'no name in "en"'),
        ("class Type(Complete): metadata = ConnectorMetadata(name=None)", "failed", "AttributeError"),
    ],
)
def test_a_class_that_is_no_connector_type_is_told(
    installation: Any, body: str, status: str, cause: str
) -> None:
    source = textwrap.dedent("""
        from connectors_core.connector import Connector
        from connectors_core.metadata import ConnectorMetadata

        class Complete(Connector):
            id = "odd"
            metadata = ConnectorMetadata(name={"en": "Odd"})
            async def authorization_uri(self, transaction): ...
            async def exchange(self, callback, transaction): ...
            async def profile(self, api, tokens): ...

    """)
    installation.add("acme-odd", {TYPES_GROUP: {"odd": "odd_module:Type"}}, {"odd_module": source + body})
    [entry] = Registry.from_entry_points().load_all()
    assert entry.status == status
    assert cause in entry.cause
    assert entry.capabilities == ()


def test_capabilities_are_told_of_the_class(installation: Any) -> None:
    installation.connector(
        "able",
        extra=textwrap.indent(
            "async def refresh(self, tokens, *, scopes=None): ...\n"
            "async def verify_credential(self, credential, *, nonce): ...\n",
            "    ",
        ),
    )
    installation.connector("plain")
    able, plain = Registry.from_entry_points().load_all()
    assert able.capabilities == ("refreshes", "verifies_credential")
    assert plain.capabilities == ()


def test_the_distribution_named_after_an_id_beats_all_others(installation: Any) -> None:
    for distribution in ("aaa-google", "connectors-aaa", "connectors-google", "zzz"):
        installation.connector("google", distribution=distribution)
    entries = Registry.from_entry_points().load_all()
    assert [(entry.distribution, entry.status) for entry in entries] == [
        ("connectors-google", "loaded"),
        ("connectors-aaa", "shadowed"),
        ("aaa-google", "shadowed"),
        ("zzz", "shadowed"),
    ]
    assert entries[1].cause == "connectors-google provides this id"


def test_shadowed_types_are_never_imported(installation: Any) -> None:
    installation.connector("google", distribution="connectors-google")
    squatter = installation.connector("google", distribution="aaa")
    Registry.from_entry_points().load_all()
    assert squatter not in sys.modules


def test_nobody_slips_into_the_place_of_a_type_that_fails(installation: Any) -> None:
    installation.add(
        "connectors-acme", {TYPES_GROUP: {"acme": "broken_module:Type"}}, {"broken_module": "raise OSError"}
    )
    installation.connector("acme", distribution="aaa")
    registry = Registry.from_entry_points()
    with pytest.raises(ConnectorMisconfigured, match=r"connectors-acme 1\.0 is failed"):
        registry.type("acme")


def test_blocking_the_winner_lets_the_next_one_have_the_id(installation: Any) -> None:
    installation.connector("acme", distribution="connectors-acme")
    installation.connector("acme", distribution="aaa")
    registry = Registry.from_entry_points(block=["Connectors_ACME"])
    assert registry.type("acme").__module__ == "module_aaa_acme"
    assert {entry.distribution: str(entry.status) for entry in registry.entries()} == {
        "aaa": "loaded",
        "connectors-acme": "blocked",
    }


@pytest.mark.parametrize("name", ["evil", "Bad_Distribution", "bad.distribution"])
def test_blocked_types_are_never_imported(installation: Any, name: str) -> None:
    module = installation.connector("evil", distribution="bad-distribution")
    registry = Registry.from_entry_points(block=[name])
    assert statuses(registry) == {"evil": "blocked"}
    assert module not in sys.modules
    with pytest.raises(ConnectorMisconfigured, match="on the block list"):
        registry.type("evil")


def test_an_allow_list_bars_all_others(installation: Any) -> None:
    installation.connector("one")
    installation.connector("two", distribution="second")
    installation.connector("three")
    registry = Registry.from_entry_points(allow=["one", "Second"], block=["one"])
    assert statuses(registry) == {"one": "blocked", "three": "blocked", "two": "loaded"}


def test_code_beats_every_distribution(installation: Any) -> None:
    installation.connector("complete", distribution="connectors-complete")
    registry = Registry.from_entry_points()
    registry.type("complete")
    assert registry.register(Complete) is Complete
    assert registry.type("complete") is Complete
    first, second = registry.entries()
    assert (first.distribution, first.status) == ("", "loaded")
    assert (second.distribution, second.status) == ("connectors-complete", "shadowed")


def test_registering_a_class_twice_is_nothing_and_another_of_its_id_an_error() -> None:
    registry = Registry()
    registry.register(Complete)
    registry.register(Complete)
    assert len(registry.entries()) == 1
    other = type("Other", (Complete,), {})
    with pytest.raises(ConnectorMisconfigured, match="registered by code already"):
        registry.register(other)


def test_registering_a_class_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConnectorMisconfigured, match="is incompatible: written for contract 9"):
        Registry().register(type("Newer", (Complete,), {"contract": 9}))
    with pytest.raises(ConnectorMisconfigured, match="does not implement"):
        Registry().register(type("Half", (Connector,), {"id": "half"}))  # type: ignore[type-abstract]


def test_an_unknown_type_is_answered_with_a_suggestion(installation: Any) -> None:
    installation.connector("google")
    installation.connector("oidc")
    registry = Registry.from_entry_points()
    with pytest.raises(NotFound, match=r"'gogle' is not installed; did you mean google\?"):
        registry.type("gogle")
    with pytest.raises(NotFound, match="installed: google, oidc"):
        registry.type("something-else")
    with pytest.raises(NotFound, match="no types are installed"):
        Registry().type("google")


def test_a_slow_import_is_told(installation: Any) -> None:
    installation.connector("slow")
    ticks = iter([10.0, 12.5])
    [entry] = Registry.from_entry_points(clock=lambda: next(ticks)).load_all()
    assert (entry.status, entry.cause) == ("loaded", "slow: took 2.5 s to import")


@pytest.mark.parametrize(
    "content", [b"[connectors_core.types]\nno equals sign\n", b"\xff connectors_core.types"]
)
def test_an_unreadable_distribution_does_not_spoil_the_others(installation: Any, content: bytes) -> None:
    info: Path = installation.add("acme-torn", {})
    (info / "entry_points.txt").write_bytes(content)
    installation.connector("good")
    registry = Registry.from_entry_points()
    assert registry.type("good").id == "good"
    if b"equals" in content:
        [torn] = registry.failures
        assert torn.distribution == "acme-torn"
        assert "entry_points.txt cannot be read" in torn.cause


@pytest.mark.parametrize(("first", "second"), [("acme-acme", "Acme_Acme"), ("Acme.Acme", "acme-acme")])
def test_of_two_copies_of_a_distribution_the_first_counts_however_it_is_spelled(
    installation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    later = tmp_path / "later"
    later.mkdir()
    folders = [str(installation.folder), str(later)]
    discover = importlib.metadata.Distribution.discover
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: discover(path=folders))
    installation.add(first, {TYPES_GROUP: {"acme": "nowhere:Type"}}, version="1.0")
    type(installation)(later).add(second, {TYPES_GROUP: {"acme": "nowhere:Type"}}, version="2.0")
    [entry] = Registry.from_entry_points().entries()
    assert (entry.distribution, entry.version) == (first, "1.0")


def test_a_plugin_in_a_new_folder_touches_no_file_of_ours(installation: Any) -> None:
    installation.connector("newcomer")
    kind = Registry.from_entry_points().type("newcomer")
    assert issubclass(kind.Config, ConnectorConfig)
