from __future__ import annotations

import base64
import subprocess
import sys
from typing import Any

import pytest

from connectors_core.errors import ConfigurationError, KeyUnavailable, SealBroken, UnknownKey
from connectors_core.grants import KeyProvider
from connectors_core.vault.providers.aws_kms import AwsKms
from connectors_core.vault.providers.remote import bound_digest

DEK = b"obviously-fake-data-key-32-bytes"
ROW, OTHER_ROW = b"the context of a row", b"the context of another row"


def new_key(kms: Any) -> tuple[str, str]:
    key = kms.create_key()["KeyMetadata"]
    return key["KeyId"], key["Arn"]


class Recorded:
    """A client that remembers what it was asked."""

    def __init__(self, client: Any, calls: list[tuple[str, dict[str, Any]]]) -> None:
        self._client, self._calls = client, calls

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self._calls.append((operation, arguments))
            return getattr(self._client, operation)(**arguments)

        return call


def refusing(code: str) -> Any:
    from botocore.exceptions import ClientError

    class Client:
        def __getattr__(self, operation: str) -> Any:
            def refuse(**_: Any) -> None:
                raise ClientError({"Error": {"Code": code, "Message": "of no concern"}}, operation)

            return refuse

    return lambda region: Client()


async def test_what_was_wrapped_is_unwrapped_by_the_key_and_context_alone(kms: Any) -> None:
    (first, first_arn), (second, second_arn) = new_key(kms), new_key(kms)
    provider = AwsKms([first_arn, second_arn])
    assert isinstance(provider, KeyProvider)
    assert provider.kids() == (first, second)
    wrapped = await provider.wrap(DEK, kid=first, context=ROW)
    assert DEK not in wrapped
    assert await provider.unwrap(wrapped, kid=first, context=ROW) == DEK
    with pytest.raises(SealBroken):
        await provider.unwrap(wrapped, kid=first, context=OTHER_ROW)
    with pytest.raises(SealBroken):
        await provider.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), kid=first, context=ROW)
    with pytest.raises((SealBroken, KeyUnavailable)):
        await provider.unwrap(wrapped, kid=second, context=ROW)


async def test_the_service_itself_refuses_the_context_of_another_row(kms: Any) -> None:
    from botocore.exceptions import ClientError

    kid, arn = new_key(kms)
    wrapped = await AwsKms([arn]).wrap(DEK, kid=kid, context=ROW)
    for digest in (bound_digest(kid, OTHER_ROW), bound_digest("another", ROW)):
        with pytest.raises(ClientError, match="InvalidCiphertext"):
            kms.decrypt(KeyId=arn, CiphertextBlob=wrapped, EncryptionContext={"vault-aad-sha256": digest})


async def test_rewrap_leaves_the_data_key_in_the_service(kms: Any) -> None:
    (old, old_arn), (new, new_arn) = new_key(kms), new_key(kms)
    calls: list[tuple[str, dict[str, Any]]] = []
    provider = AwsKms([new_arn, old_arn], make_client=lambda region: Recorded(kms, calls))
    wrapped = await provider.wrap(DEK, kid=old, context=ROW)
    calls.clear()
    again = await provider.rewrap(wrapped, kid=old, to=new, context=ROW)
    assert [operation for operation, _ in calls] == ["re_encrypt"]
    assert await provider.unwrap(again, kid=new, context=ROW) == DEK
    with pytest.raises(SealBroken):
        await provider.rewrap(wrapped, kid=old, to=new, context=OTHER_ROW)


async def test_rewrap_between_regions_decrypts_in_one_and_encrypts_in_the_other(kms: Any) -> None:
    import boto3

    old, old_arn = new_key(kms)
    new, new_arn = new_key(boto3.client("kms", region_name="eu-west-1"))
    provider = AwsKms([new_arn, old_arn])
    wrapped = await provider.wrap(DEK, kid=old, context=ROW)
    again = await provider.rewrap(wrapped, kid=old, to=new, context=ROW)
    assert await provider.unwrap(again, kid=new, context=ROW) == DEK


async def test_the_log_of_the_service_sees_a_digest_and_not_whose_row_it_is(kms: Any) -> None:
    kid, arn = new_key(kms)
    calls: list[tuple[str, dict[str, Any]]] = []
    await AwsKms([arn], make_client=lambda region: Recorded(kms, calls)).wrap(
        DEK, kid=kid, context=b"user:42"
    )
    assert calls[0][1]["EncryptionContext"] == {"vault-aad-sha256": bound_digest(kid, b"user:42")}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidCiphertextException", SealBroken),
        ("IncorrectKeyException", SealBroken),
        ("NotFoundException", UnknownKey),
        ("DisabledException", KeyUnavailable),
        ("KMSInvalidStateException", KeyUnavailable),
        ("ThrottlingException", KeyUnavailable),
        ("AccessDeniedException", KeyUnavailable),
        ("KeyUnavailableException", KeyUnavailable),
    ],
)
async def test_each_refusal_is_told_by_what_must_be_done(kms: Any, code: str, kind: type[Exception]) -> None:
    kid, arn = new_key(kms)
    provider = AwsKms([arn], make_client=refusing(code))
    with pytest.raises(kind) as caught:
        await provider.unwrap(b"wrapped", kid=kid, context=ROW)
    assert "of no concern" not in str(caught.value)
    assert ("needs kms:Encrypt and kms:Decrypt" in str(caught.value)) == (code == "AccessDeniedException")


async def test_a_service_that_cannot_be_reached_is_unavailable(kms: Any) -> None:
    from botocore.exceptions import EndpointConnectionError

    class Down:
        def decrypt(self, **_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="nowhere")

    kid, arn = new_key(kms)
    with pytest.raises(KeyUnavailable, match="EndpointConnectionError"):
        await AwsKms([arn], make_client=lambda region: Down()).unwrap(b"wrapped", kid=kid, context=ROW)


async def test_a_key_that_is_not_named_is_unknown(kms: Any) -> None:
    _, arn = new_key(kms)
    with pytest.raises(UnknownKey):
        await AwsKms([arn]).unwrap(b"wrapped", kid="another", context=ROW)


async def test_health_tries_each_key(kms: Any) -> None:
    kid, arn = new_key(kms)
    gone = arn.replace(kid, "gone")
    assert [(key.kid, key.usable) for key in await AwsKms([arn, gone]).health()] == [
        (kid, True),
        ("gone", False),
    ]


async def test_no_log_line_of_the_client_holds_a_data_key(kms: Any, caplog: pytest.LogCaptureFixture) -> None:
    kid, arn = new_key(kms)
    provider = AwsKms([arn])
    with caplog.at_level("DEBUG"):
        await provider.unwrap(await provider.wrap(DEK, kid=kid, context=ROW), kid=kid, context=ROW)
        kms.describe_key(KeyId=arn)
    assert base64.b64encode(DEK).decode() not in caplog.text
    assert "DescribeKey" in caplog.text
    assert "KeyMetadata" in caplog.text, "calls of others are logged as ever"


@pytest.mark.parametrize(
    "name",
    [
        "alias/vault",
        "arn:aws:kms:eu-central-1:123456789012:alias/vault",
        "arn:aws:s3:::bucket",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "",
    ],
)
def test_only_arns_of_keys_are_taken(name: str) -> None:
    with pytest.raises(ConfigurationError, match="vault_keys"):
        AwsKms([name])


def test_boto3_is_imported_when_the_first_key_is_asked_for() -> None:
    program = (
        "import sys; from connectors_core.vault.providers.aws_kms import AwsKms;"
        "AwsKms(['arn:aws:kms:eu-central-1:123456789012:key/abc']);"
        "print(*(sys.modules.keys() & {'boto3', 'botocore', 'hvac', 'keyring'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
