from __future__ import annotations

import inspect
import logging
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connectors_core import hookspecs
from connectors_core.errors import ConnectorMisconfigured
from connectors_core.events import Event
from connectors_core.hookspecs import DISCARD, hookimpl
from connectors_core.registry import PLUGINS_GROUP, Registry
from connectors_core.registry.plugins import Plugins

DOCUMENT = Path(__file__).parents[3] / "docs" / "hooks.md"
HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if hasattr(function, f"{hookspecs.PROJECT}_spec")
}
EVENT = Event(name="sign_in.completed", at=1.0, tenant="default")


def with_plugins(*plugins: object) -> Plugins:
    made = Plugins()
    for plugin in plugins:
        made.register(plugin)
    return made


def example(hook: str) -> Any:
    """An instance of the class in the documented example of a hook."""
    section = re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)
    [text] = [part for part in section if part.startswith(f"{hook}\n")]
    [code] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(code, namespace)
    [made] = [
        value for value in namespace.values() if inspect.isclass(value) and value.__module__ == "example"
    ]
    return made()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_exact_signature_and_an_example(hook: str) -> None:
    signature = inspect.signature(HOOKS[hook])
    spelled = f"{hook}{signature}".replace("'", "")
    assert f"## {hook}\n\n`{spelled}`\n" in DOCUMENT.read_text()
    assert hasattr(example(hook), hook)
    assert f"test_hook_{hook}" in globals()


def test_the_document_names_no_hook_that_does_not_exist() -> None:
    assert re.findall(r"^## (\w+)", DOCUMENT.read_text(), flags=re.MULTILINE) == list(HOOKS)


def test_hook_select_token_store() -> None:
    class Everywhere:
        @hookimpl(trylast=True)
        def select_token_store(self, owner: str, connector: str) -> str:
            return f"store of {owner} and {connector}"

    plugins = with_plugins(example("select_token_store"))
    assert plugins.select_token_store("guest:1", "google") is DISCARD
    assert plugins.select_token_store("user:1", "google") is None
    plugins.register(Everywhere())
    assert plugins.select_token_store("guest:1", "google") is DISCARD
    assert plugins.select_token_store("user:1", "google") == "store of user:1 and google"


def test_a_choice_that_fails_is_never_taken_for_none(canary: Any) -> None:
    class Torn:
        @hookimpl
        def select_token_store(self, owner: str) -> None:
            raise LookupError(owner)

    with pytest.raises(ConnectorMisconfigured, match="select_token_store raised LookupError"):
        with_plugins(Torn()).select_token_store("user:1", "google")


def test_hook_register_vaults() -> None:
    vaults = with_plugins(example("register_vaults")).vaults()
    assert vaults["archive"].keys == "env:ARCHIVE_KEYS"


def test_hook_register_token_stores() -> None:
    stores = with_plugins(example("register_token_stores")).token_stores()
    assert stores["redis"]("redis://here") == "the store at redis://here"


def test_hook_register_key_providers() -> None:
    providers = with_plugins(example("register_key_providers")).key_providers()
    assert providers["hsm"]("2") == "the key in slot 2"


def test_two_plugins_that_name_one_scheme_are_an_error() -> None:
    plugins = with_plugins(example("register_key_providers"), example("register_key_providers"))
    with pytest.raises(ConnectorMisconfigured, match="two plugins name hsm in register_key_providers"):
        plugins.key_providers()


def test_an_answer_that_is_no_mapping_is_an_error() -> None:
    class Torn:
        @hookimpl
        def register_token_stores(self) -> list[str]:
            return ["redis"]

    with pytest.raises(ConnectorMisconfigured, match="did not return a mapping"):
        with_plugins(Torn()).token_stores()


def test_hook_observe() -> None:
    metrics = example("observe")
    with_plugins(metrics).observe(EVENT)
    assert metrics.seen == Counter({"sign_in.completed": 1})


@pytest.mark.parametrize("raised", [RuntimeError, SystemExit])
def test_an_observer_that_raises_is_logged_by_class_and_harms_no_other(
    raised: type[BaseException], caplog: pytest.LogCaptureFixture, canary: Any
) -> None:
    secret = canary.secret("token")
    seen: list[str] = []

    class Torn:
        @hookimpl
        def observe(self, event: Event) -> None:
            raise raised(secret)

    class Quiet:
        @hookimpl
        def observe(self) -> None:
            seen.append("quiet")

    plugins = with_plugins(Quiet(), Torn(), Quiet())
    with caplog.at_level(logging.WARNING):
        plugins.observe(EVENT)
    assert seen == ["quiet", "quiet"]
    assert f"raised {raised.__name__} on sign_in.completed" in caplog.text


def test_an_observer_may_not_stop_an_interrupt() -> None:
    class Interrupted:
        @hookimpl
        def observe(self, event: Event) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with_plugins(Interrupted()).observe(EVENT)


class Asynchronous:
    @hookimpl
    async def observe(self, event: Event) -> None: ...


class Misspelled:
    @hookimpl
    def obsevre(self, event: Event) -> None: ...


class WrongArguments:
    @hookimpl
    def observe(self, happening: Event) -> None: ...


class Wrapper:
    @hookimpl(wrapper=True)
    def observe(self, event: Event) -> Any:
        return (yield)


@pytest.mark.parametrize(
    ("plugin", "cause"),
    [
        (Asynchronous(), "observe is asynchronous"),
        (Misspelled(), "there is no hook obsevre"),
        (WrongArguments(), "happening"),
        (Wrapper(), "observe cannot be wrapped"),
    ],
)
def test_a_plugin_that_does_not_fit_is_refused_and_leaves_nothing_behind(plugin: object, cause: str) -> None:
    plugins = Plugins()
    with pytest.raises(ConnectorMisconfigured, match=cause):
        plugins.register(plugin)
    plugins.observe(EVENT)
    assert not plugins.token_stores()


GOOD = """
from connectors_core.hookspecs import hookimpl
seen = []
@hookimpl
def observe(event):
    seen.append(event.name)
"""


def test_installed_plugins_are_loaded_one_by_one(installation: Any) -> None:
    installation.add("acme-good", {PLUGINS_GROUP: {"audit": "good_plugin"}}, {"good_plugin": GOOD})
    installation.add("acme-more", {PLUGINS_GROUP: {"audit": "more_plugin"}}, {"more_plugin": GOOD})
    installation.add("acme-again", {PLUGINS_GROUP: {"again": "good_plugin"}})
    installation.add("acme-bad", {PLUGINS_GROUP: {"bad": "bad_plugin"}}, {"bad_plugin": "raise SystemExit"})
    installation.add(
        "acme-odd",
        {PLUGINS_GROUP: {"odd": "odd_plugin"}},
        {"odd_plugin": GOOD + "@hookimpl\ndef nothing(): ...\n"},
    )
    installation.add("acme-barred", {PLUGINS_GROUP: {"barred": "barred_plugin"}}, {"barred_plugin": GOOD})
    registry = Registry.from_entry_points(block=["acme-barred"])
    assert "good_plugin" not in sys.modules
    plugins = registry.plugins
    assert plugins is registry.plugins
    told = {
        f"{entry.distribution}:{entry.name}": (str(entry.status), entry.cause) for entry in plugins.entries
    }
    assert told == {
        "acme-again:again": ("loaded", ""),
        "acme-good:audit": ("shadowed", "the same object is registered already"),
        "acme-more:audit": ("loaded", ""),
        "acme-bad:bad": ("failed", "SystemExit (in bad_plugin, line 1)"),
        "acme-barred:barred": ("blocked", "on the block list"),
        "acme-odd:odd": ("failed", "there is no hook nothing"),
    }
    plugins.observe(EVENT)
    assert sys.modules["good_plugin"].seen == ["sign_in.completed"]
    assert sys.modules["more_plugin"].seen == ["sign_in.completed"]
    assert sys.modules["odd_plugin"].seen == []
    assert "barred_plugin" not in sys.modules


def test_nothing_is_shared_between_registries() -> None:
    first, second = Registry(), Registry()
    metrics = example("observe")
    first.plugins.register(metrics)
    second.plugins.observe(EVENT)
    assert not metrics.seen
