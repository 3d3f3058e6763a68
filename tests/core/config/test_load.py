from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors_core.config import (
    NOT_YET,
    AppSettings,
    ConnectorSettings,
    HostSettings,
    PluginSettings,
    load_configuration,
    load_host_settings,
    load_plugin_settings,
    read_connector,
)
from connectors_core.errors import ConfigurationError
from connectors_core.hookspecs import hookimpl
from connectors_core.registry import Registry

COMPLETE = """
[host]
base_url = "https://ID.example"
database = "env:DATABASE"
vault_keys = "env:CONNECTORS_KEYS"
admin_token = "file:admin-token"
secure_cookies = true
allow_private_network = true
return_to_origins = ["https://app.example"]
trusted_proxies = ["10.0.0.0/8", "::1"]
strict = true
sign_up = false
session_idle = "90m"
session_absolute = "2w"

[plugins]
allow = []
block = []

[host.rate_limits]
sign_in = 0
callback = 1
verification = 2
access_token = 3

[connectors.google-main]
type = "acme"
target = "google"
name = { en = "Google", ja = "Google" }
description = { en = "The company's" }
logo = "logo.svg"
logo_dark = "https://acme.example/logo"
sync_profile = "sign_in"
token_storage = true
sign_in = false
linking = "verified_email"
email_domains = ["ACME.example"]
requestable_scopes = ["calendar", "https://acme.example/auth/mail"]
identity_group = "google"
private_hosts = ["10.0.0.1", "fd00::/8", "idp.internal"]
enabled = false
order = 1

[connectors.google-main.config]
clientId = "env:not-a-secret-field"
clientSecret = "env:GOOGLE_CLIENT_SECRET"
issuer = "https://acme.example"
oneTap = { isEnabled = true, signingSecret = "literal:env:literally" }
extraSecrets = { one = "file:secrets/one" }

[connectors.acme.config]
client_id = "literal:untouched"

[apps.calendar]
secret = "env:CALENDAR_APP_SECRET"
redirect_uris = ["http://127.0.0.1:3000/callback", "com.example.app:/callback"]
post_logout_redirect_uris = ["http://127.0.0.1:3000/"]
origins = ["http://127.0.0.1:3000"]
may_read_tokens = ["google"]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a configuration file that its owner alone can read."""

    def written(text: str) -> Path:
        path = tmp_path / "connectors.toml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return written


def test_every_setting_of_a_complete_file_is_read(write: Any, registry: Registry, canary: Any) -> None:
    path = write(COMPLETE)
    secrets = {kind: canary.secret(kind) for kind in ("client", "database", "admin", "app", "one", "keys")}
    (path.parent / "logo.svg").write_text("<svg/>")
    (path.parent / "admin-token").write_text(secrets["admin"] + "\n")
    (path.parent / "secrets").mkdir()
    (path.parent / "secrets" / "one").write_text(secrets["one"] + "\r\n")
    read = load_configuration(
        path,
        registry=registry,
        environ={
            "DATABASE": f"postgresql://user:{secrets['database']}@127.0.0.1/db",
            "CONNECTORS_KEYS": secrets["keys"],
            "GOOGLE_CLIENT_SECRET": secrets["client"],
            "CALENDAR_APP_SECRET": secrets["app"],
        },
    )
    host = read.host
    assert host.base_url == "https://id.example"
    assert host.database.startswith("postgresql://user:")
    assert host.vault_keys == "env:CONNECTORS_KEYS"
    assert host.admin_token is not None
    assert host.admin_token.get_secret_value() == secrets["admin"]
    assert (host.session_idle, host.session_absolute) == (5400.0, 1209600.0)
    assert host.rate_limits.model_dump() == {
        "sign_in": 0,
        "callback": 1,
        "verification": 2,
        "access_token": 3,
    }
    google, acme = read.connectors["google-main"], read.connectors["acme"]
    assert (google.type, google.target, google.order) == ("acme", "google", 1)
    assert google.logo == str(path.parent / "logo.svg")
    assert google.email_domains == ("acme.example",)
    assert google.private_hosts == ("10.0.0.1", "fd00::/8", "idp.internal")
    assert google.config.client_id == "env:not-a-secret-field"
    assert google.config.client_secret.get_secret_value() == secrets["client"]
    assert google.config.one_tap.signing_secret.get_secret_value() == "env:literally"
    assert google.config.extra_secrets["one"].get_secret_value() == secrets["one"]
    assert (acme.type, acme.target, acme.enabled) == ("acme", "acme", True)
    assert acme.config.client_id == "literal:untouched"
    app = read.apps["calendar"]
    assert app.secret is not None
    assert app.secret.get_secret_value() == secrets["app"]
    assert list(read.connectors) == ["google-main", "acme"]
    canary.check(read, host, google, acme, app, *read.warnings, *read.without_effect)


def test_an_empty_file_means_the_defaults(write: Any, registry: Registry) -> None:
    read = load_configuration(write(""), registry=registry, environ={})
    assert read.host == HostSettings()
    assert read.plugins == PluginSettings()
    assert (dict(read.connectors), dict(read.apps)) == ({}, {})
    assert (read.warnings, read.without_effect) == ((), ())


def test_a_config_in_camel_case_pastes_in_unchanged(write: Any, registry: Registry) -> None:
    path = write(
        '[connectors.acme.config]\nclientId = "acme"\nclientSecret = "s"\nscope = "openid"\n'
        "[connectors.acme.config.oneTap]\nisEnabled = true\n"
    )
    config = load_configuration(path, registry=registry, environ={}).connectors["acme"].config
    assert (config.client_id, config.scope, config.one_tap.is_enabled) == ("acme", "openid", True)


def test_what_has_no_effect_yet_is_told(write: Any, registry: Registry) -> None:
    path = write(
        '[host]\nvault_keys = "env:K"\n[host.rate_limits]\nsign_in = 20\ncallback = 31\n'
        '[connectors.acme]\nlinking = "ask"\ntoken_storage = true\nconfig = { clientId = "a" }\n'
        '[apps.calendar]\nsecret = "literal:app"\norigins = ["https://app.example"]\n'
    )
    read = load_configuration(path, registry=registry, environ={"K": "keys"})
    told = {problem.path for problem in read.without_effect}
    assert told <= {
        ("host", "vault_keys"),
        ("host", "rate_limits", "callback"),
        ("connectors", "acme", "token_storage"),
        ("apps", "calendar", "secret"),
        ("apps", "calendar", "origins"),
    }
    assert (("host", "vault_keys") in told) == (("host", "vault_keys") in NOT_YET)
    assert (("apps", "calendar", "secret") in told) == (("apps", "*", "secret") in NOT_YET)


def test_the_table_of_settings_without_effect_names_settings() -> None:
    models = {"host": HostSettings, "connectors": ConnectorSettings, "apps": AppSettings}
    for pattern in NOT_YET:
        fields = models[pattern[0]].model_fields
        rest = [part for part in pattern[1:] if part != "*"]
        assert not rest or rest[0] in fields


def test_a_literal_secret_that_others_can_read_is_a_warning_and_strictly_an_error(
    write: Any, registry: Registry, canary: Any
) -> None:
    secret = canary.secret("client-secret")
    path = write(
        f'[host]\nadmin_token = "{secret}"\ndatabase = "postgresql://user:{secret}@db.example/db"\n'
        'vault_keys = "aws-kms:arn"\n'
        f'[connectors.acme.config]\nclientId = "acme"\nclientSecret = "{secret}"\n'
        f'[apps.calendar]\nsecret = "literal:{secret}"\n'
    )
    assert not load_configuration(path, registry=registry, environ={}, strict=True).warnings
    path.chmod(0o640)
    read = load_configuration(path, registry=registry, environ={})
    assert {problem.path for problem in read.warnings} == {
        ("host", "admin_token"),
        ("host", "database"),
        ("connectors", "acme", "config", "clientSecret"),
        ("apps", "calendar", "secret"),
    }
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path, registry=registry, environ={}, strict=True)
    assert len(caught.value.problems) == 4
    canary.check(caught.value, read, *read.warnings)


def test_a_reference_where_none_is_resolved_is_a_warning(write: Any, registry: Registry) -> None:
    path = write(
        '[connectors.acme.config]\nclientId = "env:ACME_CLIENT_ID"\nscope = "https://a.example env:x"\n'
    )
    [warning] = load_configuration(path, registry=registry, environ={"ACME_CLIENT_ID": "x"}).warnings
    assert warning.path == ("connectors", "acme", "config", "clientId")


def test_a_token_right_for_an_unknown_target_is_a_warning(write: Any, registry: Registry) -> None:
    path = write('[apps.calendar]\nsecret = "literal:app"\nmay_read_tokens = ["google"]\n')
    warnings = load_configuration(path, registry=registry, environ={}).warnings
    assert "no connector of this file has the target google" in warnings[-1].message


def test_an_application_whose_host_has_no_key_to_seal_by_is_a_warning(write: Any, registry: Registry) -> None:
    app = '[apps.calendar]\nsecret = "literal:app"\n'
    [warning] = load_configuration(write(app), registry=registry, environ={}).warnings
    assert warning.path == ("host", "vault_keys")
    assert "in the clear" in warning.message
    with_key = write(f'[host]\nvault_keys = "env:KEYS"\n{app}')
    assert load_configuration(with_key, registry=registry, environ={"KEYS": "set"}).warnings == ()
    with pytest.raises(ConfigurationError, match="KEYS is not set, and there is an application"):
        load_configuration(with_key, registry=registry, environ={})


def test_the_plugin_lists_of_the_file_are_applied(write: Any, registry: Registry) -> None:
    path = write('[plugins]\nblock = ["acme"]\n[connectors.acme.config]\nclientId = "acme"\n')
    with pytest.raises(ConfigurationError, match="is blocked: on the block list"):
        load_configuration(path, environ={})
    assert load_configuration(path, registry=registry, environ={}).registry is registry


def test_a_name_on_the_plugin_lists_that_matches_nothing_is_a_warning(write: Any, registry: Registry) -> None:
    path = write('[plugins]\nblock = ["acme_chatty", "acme-chaty"]\n')
    [warning] = load_configuration(path, environ={}).warnings
    assert str(warning).endswith("plugins.block: acme-chaty names no installed type or distribution")


def test_only_the_types_that_a_file_names_are_imported(write: Any, registry: Registry) -> None:
    path = write('[connectors.acme.config]\nclientId = "acme"\n')
    load_configuration(path, registry=registry, environ={})
    assert {entry.id: str(entry.status) for entry in registry.entries()} == {
        "acme": "loaded",
        "broken": "available",
        "chatty": "available",
        "newer": "available",
    }


def test_parts_of_a_file_can_be_read_alone(write: Any) -> None:
    path = write('[host]\nbase_url = "https://id.example"\n[plugins]\nblock = ["x"]\n[connectors.unknown]\n')
    assert load_host_settings(path, environ={}).base_url == "https://id.example"
    assert load_plugin_settings(path).block == ("x",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[host]\nstrict = maybe\n", "is not TOML: Invalid value, at line 2, column 10"),
        (b'[host]\nstrict = "\n', "is not TOML: Illegal character, at line 2, column 11"),
        (b"[host]\nadmin_token = \xff\n", "is not UTF-8 at byte 21"),
        (b"a = " + b"[" * 100_000, "is "),
        (b'a = """canary-', "is not TOML: Unterminated string, at line 1, column 15"),
        (b"#" * (5 << 20), "is larger than"),
    ],
)
def test_a_file_that_is_not_toml_is_one_problem(
    write: Any, registry: Registry, content: bytes, message: str
) -> None:
    path = write("")
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path, registry=registry, environ={})
    [problem] = caught.value.problems
    assert problem.message.startswith(message)
    assert "canary-" not in problem.message


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_configuration(tmp_path / "connectors.toml", registry=registry, environ={})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(tmp_path, registry=registry, environ={})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xff\xfe", "does not hold UTF-8 text"),
        (b"x" * (65 << 10), "is larger than 65536 bytes"),
    ],
)
def test_a_secret_file_that_holds_no_secret_is_a_problem(
    write: Any, registry: Registry, content: bytes, message: str
) -> None:
    path = write('[connectors.acme.config]\nclientId = "acme"\nclientSecret = "file:secret"\n')
    (path.parent / "secret").write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"the file secret {message}"):
        load_configuration(path, registry=registry, environ={})


@pytest.mark.parametrize(
    "name", ["/proc/self/environ", "environ", "/dev/stdin", "/dev/zero", "/sys/kernel/uevent_seqnum", "pipe"]
)
def test_a_view_of_the_system_is_no_secret_file(write: Any, registry: Registry, name: str) -> None:
    path = write(f'[connectors.acme.config]\nclientId = "acme"\nclientSecret = "file:{name}"\n')
    (path.parent / "environ").symlink_to("/proc/self/environ")
    os.mkfifo(path.parent / "pipe")
    with pytest.raises(ConfigurationError, match=f"the file {name} is no regular file"):
        load_configuration(path, registry=registry, environ={})


def test_a_file_that_refers_to_itself_gives_none_of_its_secrets_away(write: Any, registry: Registry) -> None:
    for name in ("connectors.toml", "link"):
        path = write(f'[connectors.acme.config]\nclientId = "acme"\nclientSecret = "file:{name}"\n')
        if name == "link":
            (path.parent / name).symlink_to(path)
        with pytest.raises(ConfigurationError, match=f"the file {name} is this file itself"):
            load_configuration(path, registry=registry, environ={})


@pytest.mark.parametrize("name", ["~nobody-of-this-name/secret", "loop"])
def test_a_file_that_leads_nowhere_is_a_problem(write: Any, registry: Registry, name: str) -> None:
    path = write(
        f'[host]\nadmin_token = "file:{name}"\n'
        f'[connectors.acme.config]\nclientId = "acme"\nclientSecret = "file:{name}"\n'
    )
    (path.parent / "loop").symlink_to("loop")
    with pytest.raises(ConfigurationError, match="cannot be found"):
        load_configuration(path, registry=registry, environ={})


def test_references_in_arrays_of_the_host_are_resolved(write: Any) -> None:
    path = write('[host]\ntrusted_proxies = ["env:PROXIES", "literal:10.0.0.0/8"]\n')
    host = load_host_settings(path, environ={"PROXIES": "192.0.2.0/24"})
    assert list(map(str, host.trusted_proxies)) == ["192.0.2.0/24", "10.0.0.0/8"]
    with pytest.raises(ConfigurationError) as caught:
        load_host_settings(path, environ={})
    [problem] = caught.value.problems
    assert problem.path == ("host", "trusted_proxies", "0")
    assert problem.message == "the environment variable PROXIES is not set"


TOML = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    document=st.fixed_dictionaries(
        {},
        optional={
            "host": st.dictionaries(st.sampled_from(list(HostSettings.model_fields)), TOML) | TOML,
            "plugins": TOML,
            "connectors": st.dictionaries(
                st.sampled_from(["acme", "chatty", "broken", "odd"]),
                st.dictionaries(st.sampled_from(list(ConnectorSettings.model_fields)), TOML) | TOML,
            ),
            "apps": st.dictionaries(
                st.text(max_size=4), st.dictionaries(st.sampled_from(list(AppSettings.model_fields)), TOML)
            )
            | TOML,
        },
    )
)
@example(document={"host": {"database": "postgresql://["}, "connectors": {"acme": {"target": ["x"]}}})
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
def test_whatever_a_file_holds_only_our_own_error_is_raised(
    write: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch, document: dict[str, Any]
) -> None:
    monkeypatch.setattr("connectors_core.config.load.read_document", lambda path: document)
    with suppress(ConfigurationError):
        load_configuration(write(""), registry=registry, environ={})


def test_a_connector_of_the_api_is_plain_text(registry: Registry) -> None:
    """References are resolved in files only."""
    settings = read_connector("acme", {"config": {"clientId": "acme", "clientSecret": "env:HOME"}}, registry)
    assert settings.config.client_secret.get_secret_value() == "env:HOME"
    again = read_connector("other", {"type": "acme", "config": settings.config}, registry)
    assert again.config is settings.config
    with pytest.raises(ConfigurationError, match="is not a ChattyConfig"):
        read_connector("chatty", {"config": settings.config}, registry)


def test_settings_are_frozen_and_show_no_secret(registry: Registry, canary: Any) -> None:
    secret = canary.secret("client-secret")
    settings = read_connector("acme", {"config": {"clientId": "a", "clientSecret": secret}}, registry)
    canary.check(settings, settings.config, ConnectorSettings(config={"clientSecret": secret}))
    with pytest.raises(ValueError, match="frozen"):
        settings.order = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("written", "seconds"), [("45s", 45.0), ("15m", 900.0), ("24h", 86400.0), ("30d", 2592000.0), (60, 60.0)]
)
def test_durations_are_seconds(written: object, seconds: float) -> None:
    made = HostSettings.model_validate({"session_idle": written, "session_absolute": "52w"})
    assert made.session_idle == seconds


def test_the_environment_is_the_default(
    write: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "ACME_SECRET", "fake-secret-of-acme")
    path = write('[connectors.acme.config]\nclientId = "a"\nclientSecret = "env:ACME_SECRET"\n')
    config = load_configuration(path, registry=registry).connectors["acme"].config
    assert config.client_secret.get_secret_value() == "fake-secret-of-acme"


def test_a_key_source_of_a_plugin_is_taken_and_any_other_refused(write: Any, registry: Registry) -> None:
    class Hardware:
        @hookimpl
        def register_key_providers(self) -> dict[str, Any]:
            return {"hsm": lambda slot: None}

    path = write('[host]\nvault_keys = "hsm:slot-1"\n')
    with pytest.raises(ConfigurationError, match=r"must begin with one of env:.*vault-transit:$"):
        load_configuration(path, registry=registry)
    registry.plugins.register(Hardware())
    assert load_configuration(path, registry=registry).host.vault_keys == "hsm:slot-1"
    with pytest.raises(ConfigurationError, match=r"vault-transit:, hsm:$"):
        load_configuration(write('[host]\nvault_keys = "hms:slot-1"\n'), registry=registry)
