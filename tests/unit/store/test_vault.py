"""Tests of sealed secrets: they open in their own context only, and only with the vault that sealed
them.
"""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from chalicelib.store.vault import (
    BadSeal,
    DerivedVault,
    KeyFileVault,
    KmsVault,
    VaultUnavailable,
)

CONTEXT = {"account_id": "acc_1", "trunk_id": "trunk_a"}
OTHER = {"account_id": "acc_1", "trunk_id": "trunk_b"}


@pytest.fixture
def file_vault(tmp_path):
    (tmp_path / "key").write_bytes(bytes(range(32)))
    return KeyFileVault(tmp_path / "key")


@pytest.fixture
def kms_vault(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("kms", region_name="us-east-1")
        yield KmsVault(lambda: client, client.create_key()["KeyMetadata"]["KeyId"])


@pytest.fixture
def derived_vault():
    return DerivedVault("the installation's", "the asker's")


@pytest.fixture(params=["file_vault", "kms_vault", "derived_vault"])
def vault(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("secret", ["", "s3cret", "p@ß wörd €", "x" * 128])
def test_a_sealed_secret_opens_in_its_own_context_only(vault, secret):
    sealed = vault.seal(secret, CONTEXT)
    assert vault.open(sealed, dict(reversed(CONTEXT.items()))) == secret
    assert not secret or secret not in sealed
    for context in (OTHER, {}, {**CONTEXT, "more": "x"}):
        with pytest.raises(BadSeal):
            vault.open(sealed, context)


def test_sealing_the_same_secret_twice_gives_different_texts(vault):
    assert len({vault.seal("s3cret", CONTEXT) for _ in range(5)}) == 5


def test_a_changed_seal_does_not_open(vault):
    sealed = vault.seal("s3cret", CONTEXT)
    prefix, *parts = sealed.split(".")
    for place, part in enumerate(parts):
        middle = len(part) // 2
        other = "A" if part[middle] != "A" else "B"
        forged = [*parts]
        forged[place] = part[:middle] + other + part[middle + 1 :]
        with pytest.raises(BadSeal):
            vault.open(".".join([prefix, *forged]), CONTEXT)


@given(st.text(max_size=60))
def test_made_up_texts_do_not_open(text):
    class Known(KeyFileVault):
        _key = b"k" * 32

    for made_up in (text, f"kf1.{text}", f"kf1.{text}.{text}"):
        with pytest.raises(BadSeal):
            Known("none").open(made_up, CONTEXT)


def test_one_vault_does_not_open_what_another_sealed(file_vault, kms_vault, tmp_path):
    (tmp_path / "other").write_bytes(b"o" * 32)
    sealed = file_vault.seal("s3cret", CONTEXT)
    for other in (kms_vault, KeyFileVault(tmp_path / "other")):
        with pytest.raises(BadSeal):
            other.open(sealed, CONTEXT)
    with pytest.raises(BadSeal):
        file_vault.open(kms_vault.seal("s3cret", CONTEXT), CONTEXT)


def test_a_missing_or_malformed_key_file_is_reported(tmp_path):
    with pytest.raises(VaultUnavailable, match="No such file"):
        KeyFileVault(tmp_path / "none").seal("x", CONTEXT)
    (tmp_path / "short").write_bytes(b"k" * 31)
    with pytest.raises(VaultUnavailable, match="31 bytes"):
        KeyFileVault(tmp_path / "short").seal("x", CONTEXT)


def test_kms_that_refuses_or_cannot_be_reached_is_unavailable(kms_vault):
    client = kms_vault._client
    with pytest.raises(VaultUnavailable, match="NotFound"):
        KmsVault(lambda: client, "no-such-key").seal("x", CONTEXT)
    nowhere = boto3.client(
        "kms",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(VaultUnavailable, match="EndpointConnectionError"):
        KmsVault(lambda: nowhere, "key").seal("x", CONTEXT)


def test_kms_gets_the_context_and_never_the_secret(kms_vault):
    requests = []

    class Watched:
        def __getattr__(self, verb):
            def call(**request):
                requests.append((verb, request))
                return getattr(real, verb)(**request)

            return call

    real = kms_vault._client
    vault = KmsVault(Watched, kms_vault._key_id)
    vault.open(vault.seal("s3cret", CONTEXT), CONTEXT)
    assert [verb for verb, _ in requests] == ["generate_data_key", "decrypt"]
    assert all(request["EncryptionContext"] == CONTEXT for _, request in requests)
    assert "s3cret" not in repr(requests)


@pytest.mark.parametrize(
    "other", [DerivedVault("another's", "the asker's"), DerivedVault("the installation's", "")]
)
def test_a_derived_key_depends_on_both_secrets(derived_vault, other):
    sealed = derived_vault.seal("s3cret", CONTEXT)
    assert DerivedVault("the installation's", "the asker's").open(sealed, CONTEXT) == "s3cret"
    with pytest.raises(BadSeal):
        other.open(sealed, CONTEXT)
