"""Fixtures of calls over SIP: peers that are stopped after their test, and one stack for all tests,
with unused accounts.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import pytest_asyncio

from local.agent import Refused, Rest
from tests.sip.peers import Carrier, Sipp, Softphone
from tests.sip.peers.kamailio import certificates
from tests.sip.peers.rtp import Samples
from tests.sip.support import DID, PASSWORD, USER, Line, Tenant, fresh_caller
from tests.support.engine import ROOT
from tests.support.running import Process, stack_up

_Peer = TypeVar("_Peer")
Up = Callable[[AbstractAsyncContextManager[_Peer]], Awaitable[_Peer]]

RTP_TIMEOUT_S = 5
"""The stack's: how long a call may be without sound."""

_ACCOUNTS = 100
_SAID = 12_000
"""Characters of the gateway's log that a failure shows."""


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Says so once, rather than in every test."""
    found = shutil.which("sipp") and shutil.which("baresip") and Path("/usr/sbin/kamailio").exists()
    if not found:
        pytest.fail("the SIP tests need Debian packages: make .venv/.debian")


@pytest.fixture
async def up() -> AsyncIterator[Up[Any]]:
    """`peer = await up(Sipp.uas("answers"))`: there until the test is over."""
    async with AsyncExitStack() as stack:
        yield stack.enter_async_context


@pytest.fixture
def softphone(up: Up[Softphone]) -> Iterator[Callable[..., Awaitable[Softphone]]]:
    """`phone = await softphone(says=…)`."""
    # Not tmp_path: a name of more than 127 characters baresip records to nowhere.
    with tempfile.TemporaryDirectory(prefix="phone-") as folder:
        yield lambda **options: up(Softphone(Path(folder), **options))


@pytest.fixture
async def carrier(up: Up[Carrier]) -> Carrier:
    """One with a subscriber, `acct42`, who has a number."""
    return await up(Carrier({USER: PASSWORD}, dids={DID: USER}))


@pytest.fixture(scope="session")
def speech() -> Callable[..., Samples]:
    """`speech("greeting", 2)`: the first two seconds of an example, 8 kHz."""

    def read(name: str, seconds: float = 1.3) -> Samples:
        with wave.open(str(ROOT / "examples" / "audio" / f"{name}.wav")) as file:
            return np.frombuffer(file.readframes(int(8000 * seconds)), "<i2")

    return read


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: whom the stack believes in certificates (`ca.pem`), and a carrier's that holds."""
    folder = tmp_path_factory.mktemp("authority")
    asyncio.run(certificates(folder))
    return folder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Print the gateway's log, for the reader of a failed test."""
    report = (yield).get_result()  # type: ignore[func-returns-value]
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and stack is not None:
        said = (stack.state_dir / "logs" / "gateway.log").read_text(errors="replace")
        report.sections.append(("gateway", said[-_SAID:]))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Iterator[Process]:
    """The whole local stack."""
    with stack_up(
        tmp_path_factory.mktemp("stack"),
        GATEWAY_RTP_TIMEOUT=str(RTP_TIMEOUT_S),
        GATEWAY_SIP_CA_FILE=str(authority / "ca.pem"),
    ) as process:
        yield process


@pytest.fixture(scope="session")
def sip_port(stack: Process) -> int:
    """The gateway's."""
    return stack.port_base + 4


@pytest.fixture(scope="session")
def accounts(stack: Process) -> Iterator[Tenant]:
    """Accounts that nobody has used, more than there are tests."""
    return map(Tenant, stack.new_accounts(_ACCOUNTS))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def unanswered(accounts: Iterator[Tenant], sip_port: int) -> AsyncIterator[Any]:
    """A call that nobody takes; it rings while the other tests run. Its owner, and its caller."""
    owner, caller = next(accounts), fresh_caller()
    number = (await owner.rest("POST", "/api/number", {"country": "US"}))["e164"]
    async with Sipp.uac(
        "is_not_taken", sip_port, number=number, caller=f"<sip:{caller}@127.0.0.1>", within_s=75,
    ) as calling:  # fmt: skip
        await owner.rings(caller)
        yield owner, calling


@pytest.fixture(scope="session")
def line(stack: Process, sip_port: int, unanswered: Any) -> Line:
    """The number of the stack's first account."""
    description = stack.read_stack_file()
    return Line(
        Tenant(Rest(description["api_url"], description["api_key"])),
        description["numbers"][0],
        sip_port,
    )


@pytest_asyncio.fixture
async def tenant(accounts: Iterator[Tenant], unanswered: Any) -> AsyncIterator[Tenant]:
    """An account of one's own. Its trunk goes with it."""
    mine = next(accounts)
    yield mine
    with suppress(Refused):  # it never had one
        await mine.rest("DELETE", "/api/trunk")


@pytest.fixture
async def connected(carrier: Carrier, tenant: Tenant) -> Tenant:
    """The same, with a trunk registered with `carrier`, and its number."""
    await tenant.register(carrier)
    await tenant.add(DID)
    return tenant
