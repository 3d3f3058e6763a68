"""Keys in memory: where they come from, and what is refused."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import ConfigurationError, SealBroken, UnknownKey
from connectors_core.grants import KeyProvider
from connectors_core.vault import Keyring

ONE, TWO = bytes(range(32)), bytes(range(32, 64))


def b64(key: bytes) -> str:
    return base64.b64encode(key).decode()


def jwks(**keys: bytes) -> str:
    encoded = {kid: base64.urlsafe_b64encode(key).rstrip(b"=").decode() for kid, key in keys.items()}
    return json.dumps({"keys": [{"kty": "oct", "kid": kid, "k": k} for kid, k in encoded.items()]})


async def is_key(keyring: Keyring, kid: str, key: bytes) -> bool:
    """Whether both make one key: what one wraps the other unwraps."""
    wrapped = await Keyring({kid: key}).wrap(bytes(32), kid=kid, context=b"c")
    try:
        return await keyring.unwrap(wrapped, kid=kid, context=b"c") == bytes(32)
    except SealBroken:
        return False


@pytest.mark.parametrize(
    "text",
    [
        f"k1:{b64(ONE)},arn:aws:kms/k2:{b64(TWO)}",
        f" k1:{base64.urlsafe_b64encode(ONE).decode()} , arn:aws:kms/k2:{b64(TWO).rstrip('=')}\n",
        jwks(**{"k1": ONE, "arn:aws:kms/k2": TWO}),
    ],
)
async def test_keys_are_read_from_a_variable_in_each_form(text: str) -> None:
    keyring = Keyring.from_env(environ={"CONNECTORS_KEYS": text})
    assert keyring.kids() == ("k1", "arn:aws:kms/k2")
    assert await is_key(keyring, "k1", ONE)
    assert await is_key(keyring, "arn:aws:kms/k2", TWO)
    assert isinstance(keyring, KeyProvider)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "CONNECTORS_KEYS is not set"),
        ("   ", "CONNECTORS_KEYS is not set"),
        (b64(ONE), "no name"),
        (f"k1:{b64(ONE)},", "no name"),
        ("k1:not base64!", "kid:base64"),
        (f"k1:{b64(ONE[:16])}", "has 16 bytes, expected 32"),
        (f"k 1:{b64(ONE)}", "no name"),
        (f"k1:{b64(ONE)},k1:{b64(TWO)}", "one name"),
        ("{", "JWK Set"),
        ('{"keys": [{"kty": "oct", "k": "AAAA"}]}', "JWK Set"),
        ('{"keys": []}', "there is no key"),
        ('{"keys": 7}', "JWK Set"),
        (jwks(k1=ONE[:31]), "has 31 bytes"),
        ("{" * 10_000, "JWK Set"),
    ],
)
def test_what_is_not_keys_is_refused_with_a_cure_and_without_a_key(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        Keyring.from_env(environ={"CONNECTORS_KEYS": text})
    assert caught.value.problems[0].path == ("host", "vault_keys")
    assert "connectors vault key new" in str(caught.value)
    assert b64(ONE)[:20] not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_keys_or_a_configuration_error(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        Keyring.from_text(text)


async def test_a_key_file_is_made_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    made = Keyring.create_file(tmp_path / "keys.json", kid="k1")
    assert stat.S_IMODE(os.stat(tmp_path / "keys.json").st_mode) == 0o600
    read = Keyring.from_reference("file:keys.json", folder=tmp_path)
    wrapped = await made.wrap(ONE, kid="k1", context=b"c")
    assert await read.unwrap(wrapped, kid="k1", context=b"c") == ONE
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Keyring.create_file(tmp_path / "keys.json", kid="k2")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o610])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    Keyring.create_file(path, kid="k1")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}.*chmod 600"):
        Keyring.from_file(path)


def test_a_key_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not there"):
        Keyring.from_file(tmp_path / "none.json")


@pytest.mark.parametrize("reference", ["", "env", "env:", "file:", "ftp:x"])
def test_a_place_that_is_none_is_refused(reference: str) -> None:
    with pytest.raises(ConfigurationError, match="not a place of keys"):
        Keyring.from_reference(reference)


async def test_a_key_that_is_not_there_is_unknown() -> None:
    keyring = Keyring({"k1": ONE})
    with pytest.raises(UnknownKey):
        await keyring.unwrap(bytes(60), kid="k2", context=b"")
    with pytest.raises(UnknownKey):
        await keyring.rewrap(await keyring.wrap(ONE, kid="k1", context=b""), kid="k1", to="k2", context=b"")


async def test_the_repr_names_keys_and_shows_none() -> None:
    assert repr(Keyring({"k1": ONE, "k2": TWO})) == "<Keyring k1, k2>"
    assert [health.usable for health in await Keyring({"k1": ONE}).health()] == [True]
