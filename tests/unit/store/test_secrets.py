"""Tests of secrets kept by AWS: fetched together in place of their ARNs, and never in a message."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from chalicelib.store.secrets import SecretsUnavailable, with_secrets


@pytest.fixture
def client(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")


def _kept(client, number):
    return [
        client.create_secret(Name=f"chamade/s{n}", SecretString=f"value-{n}")["ARN"]
        for n in range(number)
    ]


def test_each_secret_replaces_its_arn(client):
    one, two = _kept(client, 2)
    settings = with_secrets(
        {"CHAMADE_TABLE": "t", "CHAMADE_A_ARN": one, "CHAMADE_B_ARN": two, "OTHER_ARN": "arn:x"},
        lambda: client,
    )
    assert settings == {
        "CHAMADE_TABLE": "t", "CHAMADE_A": "value-0", "CHAMADE_B": "value-1", "OTHER_ARN": "arn:x",
    }  # fmt: skip


def test_more_secrets_than_one_request_allows_are_all_fetched(client):
    env = {f"CHAMADE_S{n}_ARN": arn for n, arn in enumerate(_kept(client, 23))}
    assert set(with_secrets(env, lambda: client).values()) == {f"value-{n}" for n in range(23)}


def test_settings_without_arns_make_no_request():
    def never():
        raise AssertionError

    assert with_secrets({"CHAMADE_TABLE": "t"}, never) == {"CHAMADE_TABLE": "t"}


def test_a_secret_that_is_not_there_is_named(client):
    gone = "arn:aws:secretsmanager:us-east-1:123456789012:secret:chamade/gone-abcdef"
    env = {"CHAMADE_A_ARN": _kept(client, 1)[0], "CHAMADE_B_ARN": gone}
    with pytest.raises(SecretsUnavailable, match="chamade/gone") as raised:
        with_secrets(env, lambda: client)
    assert "value-0" not in str(raised.value)


def test_a_refusal_is_reported_by_its_code(client, monkeypatch):
    from botocore.exceptions import ClientError

    def refuse(**_asked):
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "…"}}, "BatchGetSecretValue"
        )

    monkeypatch.setattr(client, "batch_get_secret_value", refuse)
    with pytest.raises(SecretsUnavailable, match="AccessDeniedException"):
        with_secrets({"CHAMADE_A_ARN": "arn:a"}, lambda: client)
