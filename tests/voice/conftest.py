"""The stack that all tests of hosted voices share: two voice hosts with real models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from local.voice_hosts import MODELS
from tests.support.models import Models, models
from tests.support.running import Live, Process, stack_up
from tests.voice.scene import HOSTS, PLACES, HostedCall, hosted_call

_SHARED = {"speech", "hosted"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker for all of them, and one event loop for those that share the callers' models: they
    take seconds to load, and processors to run.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("voice"))
            if _SHARED & set(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Says so once, rather than in every test."""
    if not MODELS.exists():
        pytest.fail("the tests of hosted voices need models: make voice")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The whole local stack, with two voice hosts of a few places each."""
    folder = tmp_path_factory.mktemp("stack")
    places = {"VOICE_MAX_CALLS": str(PLACES), "VOICE_MAX_CALLS_PER_ACCOUNT": str(PLACES)}
    with stack_up(folder, CHAMADE_VOICE_HOSTS=str(HOSTS), **places) as process:
        yield process


@pytest.fixture
def live(stack: Process) -> Live:
    """The stack's own account, which takes part in the beta."""
    return Live(stack.read_stack_file())


@pytest_asyncio.fixture(loop_scope="session")
async def hosted(live: Live) -> AsyncIterator[Callable[[], Awaitable[HostedCall]]]:
    """Makes calls with a hosted voice, and hangs up in the end."""
    calls = []

    async def one_more() -> HostedCall:
        calls.append(await hosted_call(live))
        return calls[-1]

    yield one_more
    for call in calls:
        await call.hang_up()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def speech() -> AsyncIterator[Models]:
    """What callers say, and what they understand."""
    async with models() as loaded:
        yield loaded
