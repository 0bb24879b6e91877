"""Tests of the composition root: settings kept elsewhere are fetched, once, and never shown."""

from __future__ import annotations

import json

import boto3
import pytest
from moto import mock_aws

from chalicelib import bootstrap
from chalicelib.problems import problem_from
from chalicelib.store.secrets import SecretsUnavailable
from tests.unit.test_config import ENV

SECRETS = ("CHAMADE_TOKEN_SECRET", "CHAMADE_CONTROL_SECRET", "CHAMADE_TWILIO_AUTH_TOKEN")


@pytest.fixture
def aws(monkeypatch):
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    bootstrap.config.cache_clear()
    with mock_aws():
        yield boto3.client("secretsmanager")
    bootstrap.config.cache_clear()


def _kept(aws, monkeypatch):
    for name in SECRETS:
        arn = aws.create_secret(Name=name, SecretString=f"kept-{name}")["ARN"]
        monkeypatch.delenv(name)
        monkeypatch.setenv(f"{name}_ARN", arn)


def test_secrets_kept_by_aws_are_read_as_settings(aws, monkeypatch):
    _kept(aws, monkeypatch)
    config = bootstrap.config()
    assert config.token_secret == "kept-CHAMADE_TOKEN_SECRET"
    assert config.accounts[0].auth_token == "kept-CHAMADE_TWILIO_AUTH_TOKEN"
    assert "kept-" not in repr(config)
    assert bootstrap.config() is config


def test_secrets_that_could_not_be_fetched_are_fetched_at_the_next_request(aws, monkeypatch):
    _kept(aws, monkeypatch)
    aws.delete_secret(SecretId=SECRETS[0], ForceDeleteWithoutRecovery=True)
    with pytest.raises(SecretsUnavailable):
        bootstrap.config()
    arn = aws.create_secret(Name=SECRETS[0], SecretString="again")["ARN"]
    monkeypatch.setenv(f"{SECRETS[0]}_ARN", arn)
    assert bootstrap.config().token_secret == "again"


def test_requests_without_secrets_are_answered_503_without_details():
    answer = problem_from(SecretsUnavailable("Secrets Manager: arn:aws:…")).response()
    assert (answer.status_code, json.loads(answer.body)["code"]) == (503, "unavailable")
    assert "Retry-After" in answer.headers
    assert "arn:" not in answer.body
