"""A front with real gateway processes, without SIP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from gateway.config import from_env
from gateway.front.server import Front, start
from gateway.http.auth import basic

SECRET = "control-secret"


@pytest.fixture
async def start_front(application, account) -> AsyncIterator[Callable[..., Any]]:
    """`front = await start_front(check_every_s=…, GATEWAY_…=…)`: two processes, all serving."""
    started: list[Front] = []

    async def start_one(check_every_s: float = 5.0, **more: str) -> Front:
        given = {
            "GATEWAY_PROCESSES": "2",
            "GATEWAY_PORT": "0",
            "GATEWAY_ID": "gateway-7",
            "GATEWAY_ACCOUNT_SID": account[0],
            "GATEWAY_AUTH_TOKEN": account[1],
            "GATEWAY_VOICE_URL": application.url + "/voice",
            "GATEWAY_STATUS_URL": application.url + "/status",
            **more,
        }
        front = await start(from_env(given), os.environ | given, check_every_s=check_every_s)
        started.append(front)
        return front

    yield start_one
    for front in started:
        await front.stop()


@pytest.fixture
async def front(start_front) -> Front:
    return await start_front()


@pytest.fixture
async def http(account) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": basic(*account)}) as session:
        yield session
