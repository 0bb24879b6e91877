"""A truly atomic DynamoDB (ministack): one for the test session, with a table for each module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from chalicelib.store.table import Table
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def ministack(log: Path) -> Iterator[str]:
    """Run the engine; yield its URL. Its data is not kept."""
    port = free_port()
    environment = {
        **os.environ,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "0",
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"ministack did not start: {log.read_text()}")


def client(url: str, service: str) -> Any:
    """Return a boto3 client of the engine, which many threads may use."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(max_pool_connections=64),
    )


def make_table(dynamodb: Any, name: str) -> Table:
    """Make an empty table of `infra/table.json`, through that client."""
    spec = json.loads((ROOT / "infra" / "table.json").read_text())
    spec.pop("TimeToLiveAttribute")
    dynamodb.create_table(TableName=name, **spec)
    return Table(dynamodb, name)


def everything_in(table: Table) -> list[dict[str, Any]]:
    """Return all items, for assertions that nothing was left behind."""
    pages = table._client.get_paginator("scan").paginate(TableName=table.name)
    return [table._unmarshal(item) for page in pages for item in page["Items"]]
