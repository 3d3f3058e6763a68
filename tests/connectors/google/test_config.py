from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from connectors_google import GoogleConfig, OneTapConfig

from connectors_core.connector import OneTap, read_config
from connectors_core.errors import ConfigurationError

PLAIN = {"clientId": "client-1", "clientSecret": "not-a-real-secret"}

LOGTO = {
    "clientId": "client-1",
    "clientSecret": "not-a-real-secret",
    "scope": "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/calendar",
    "prompts": ["consent", "select_account"],
    "offlineAccess": True,
    "oneTap": {"isEnabled": True, "autoSelect": True, "closeOnTapOutside": False, "itpSupport": True},
}
"""What Logto stores for its Google connector."""


def read(**changes: Any) -> GoogleConfig:
    return read_config(GoogleConfig, {**PLAIN, **changes})


def problems(data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as raised:
        read_config(GoogleConfig, data)
    assert "not-a-real-secret" not in str(raised.value)
    return {".".join(problem.path): problem.message for problem in raised.value.problems}


def test_a_configuration_of_logto_pastes_in_unchanged():
    config = read_config(GoogleConfig, LOGTO)
    assert config.scope == LOGTO["scope"]
    assert config.prompts == ("consent", "select_account")
    assert config.offline_access is True
    assert config.one_tap.model_dump(by_alias=True) == LOGTO["oneTap"]


def test_snake_case_is_read_too():
    config = read_config(
        GoogleConfig,
        {
            "client_id": "a",
            "client_secret": "b",
            "one_tap": {"is_enabled": True},
            "hosted_domain": "a.example",
        },
    )
    assert config.one_tap.is_enabled
    assert config.hosted_domain == "a.example"


def test_client_id_and_secret_are_all_that_is_required():
    assert problems({}) == {"clientId": "is required", "clientSecret": "is required"}
    assert problems({"clientId": "", "clientSecret": ""}).keys() == {"clientId", "clientSecret"}


def test_what_is_wrong_is_told_all_at_once():
    told = problems(
        {
            **PLAIN,
            "scope": "openid offline_access",
            "prompts": ["none", "consent"],
            "oneTap": {"isEnable": True},
            "hostedDomain": "jane@example.com",
            "issuer": "http://google.example",
            "offlineAcess": True,
        }
    )
    assert told["scope"].startswith("offline_access is no scope of Google's: set offlineAccess")
    assert "cannot be joined" in told["prompts"]
    assert told["oneTap.isEnable"] == "is not a known key"
    assert "domain" in told["hostedDomain"]
    assert "https" in told["issuer"]
    assert told["offlineAcess"] == "is not a known key"


@pytest.mark.parametrize(
    "prompts", [["login"], ["consent", "consent"], "consent", ["none", "select_account"]]
)
def test_prompts_that_google_does_not_know_or_that_cannot_be_together_are_refused(prompts: object):
    assert any(name.startswith("prompts") for name in problems({**PLAIN, "prompts": prompts}))


@pytest.mark.parametrize(
    "domain", ["example", "-a.example", "a..example", "*.example.com", "https://a.example", "a b.c"]
)
def test_a_hosted_domain_is_a_domain(domain: str):
    assert problems({**PLAIN, "hostedDomain": domain}).keys() == {"hostedDomain"}


@pytest.mark.parametrize(
    ("given", "read_as"), [("Example.COM", "example.com"), ("*", "*"), ("", None), (None, None)]
)
def test_a_hosted_domain_is_read_in_lower_case(given: str | None, read_as: str | None):
    assert read(hostedDomain=given).hosted_domain == read_as


@pytest.mark.parametrize("blank", ["", "  \n", None])
def test_a_blank_scope_is_none(blank: str | None):
    assert read(scope=blank).scope is None


SCRIPT = "https://accounts.google.com/gsi/client"


def prompt(**one_tap: Any) -> OneTap | None:
    config = read(oneTap=one_tap)
    return config.one_tap_prompt(script=SCRIPT, login_uri="https://host.test/one-tap/google", nonce="n-1")


def test_one_tap_options_are_attributes_of_googles_element():
    shown = prompt(isEnabled=True)
    assert shown is not None
    assert (shown.script, shown.element) == (SCRIPT, "g_id_onload")
    assert shown.attributes == {
        "data-client_id": "client-1",
        "data-login_uri": "https://host.test/one-tap/google",
        "data-nonce": "n-1",
        "data-auto_select": "false",
        "data-cancel_on_tap_outside": "true",
        "data-itp_support": "false",
    }


def test_one_tap_needs_the_sources_that_google_names():
    shown = prompt(isEnabled=True)
    assert shown is not None
    assert shown.sources == {
        "script-src": "https://accounts.google.com/gsi/client",
        "frame-src": "https://accounts.google.com/gsi/",
        "connect-src": "https://accounts.google.com/gsi/",
        "style-src": "https://accounts.google.com/gsi/style",
    }


@pytest.mark.parametrize(
    ("option", "value", "attribute"),
    [
        ("autoSelect", True, ("data-auto_select", "true")),
        ("closeOnTapOutside", False, ("data-cancel_on_tap_outside", "false")),
        ("itpSupport", True, ("data-itp_support", "true")),
    ],
)
def test_a_one_tap_option_changes_its_attribute_alone(option: str, value: bool, attribute: tuple[str, str]):
    plain, changed = prompt(isEnabled=True), prompt(isEnabled=True, **{option: value})
    assert plain is not None
    assert changed is not None
    assert set(changed.attributes.items()) - set(plain.attributes.items()) == {attribute}


def test_one_tap_is_off_unless_it_is_switched_on():
    assert prompt() is None
    assert prompt(autoSelect=True) is None


def test_the_schema_marks_the_secret_and_describes_every_field():
    schema = GoogleConfig.model_json_schema(by_alias=True)
    assert schema["properties"]["clientSecret"]["writeOnly"] is True
    own = GoogleConfig.model_fields.keys() - {"one_tap"}
    assert all(GoogleConfig.model_fields[name].description for name in own)


def test_every_field_stands_in_the_guide():
    guide = files("connectors_google").joinpath("README.md").read_text()
    nested = [f"oneTap.{field.alias}" for field in OneTapConfig.model_fields.values()]
    own = [str(field.alias) for name, field in GoogleConfig.model_fields.items() if name != "one_tap"]
    assert not [name for name in (*own, *nested) if f"| `{name}` |" not in guide]
