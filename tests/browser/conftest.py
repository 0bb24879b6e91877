"""The stack that all browser tests share, and people at its dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from local import aws
from local.environment import TABLE
from local.layout import Layout
from tests.browser.chromium import PROGRAM, chromium
from tests.browser.person import Person, person
from tests.browser.voices import Voice
from tests.sip.support import Tenant
from tests.support.running import Process, stack_up

_SIGN_INS = "RATE#sign_in#127.0.0.1"
_ACCOUNTS = 40


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of them: a browser that waits for a minute outlives its test. And one
    worker: another would need another stack, and browsers.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Says so once, rather than in every test."""
    if not Path(PROGRAM).exists():
        pytest.fail("the browser tests need a Debian package: make .venv/.debian")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The whole local stack."""
    with stack_up(tmp_path_factory.mktemp("stack")) as process:
        yield process


@pytest.fixture(scope="session")
def told(stack: Process) -> dict[str, Any]:
    """What it says of itself: `stack.json`."""
    return stack.read_stack_file()


@pytest.fixture(scope="session")
def accounts(stack: Process) -> Iterator[Tenant]:
    """Accounts that nobody has used, one for each test that wants one."""
    return map(Tenant, stack.new_accounts(_ACCOUNTS))


@pytest.fixture(autouse=True)
def nobody_has_signed_in_too_often(stack: Process) -> None:
    """All people of all tests come from one address, which may sign in twenty times in ten minutes:
    that is counted anew for each test.
    """
    layout = Layout(stack.port_base, stack.state_dir)
    dynamodb = aws.client(layout, "dynamodb")
    counted = dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": _SIGN_INS}},
    )
    for item in counted["Items"]:
        dynamodb.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})


@pytest.fixture
def tenant(accounts: Iterator[Tenant]) -> Tenant:
    """An account of the test's own."""
    return next(accounts)


@pytest.fixture(scope="session")
def theirs() -> Voice:
    """What callers say."""
    return Voice("caller")


@pytest.fixture(scope="session")
def ours() -> Voice:
    """What agents say."""
    return Voice("greeting")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browsers() -> AsyncIterator[Callable[[Voice | None], Awaitable[Browser]]]:
    """`browser = await browsers(theirs)`: one for each voice that is in the microphone."""
    running: dict[Voice | None, Browser] = {}
    async with AsyncExitStack() as stack:

        async def browser(voice: Voice | None = None) -> Browser:
            if voice not in running:
                starting = chromium(voice and voice.microphone)
                running[voice] = await stack.enter_async_context(starting)
            return running[voice]

        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def somebody(
    told: dict[str, Any], browsers: Callable[[Voice | None], Awaitable[Browser]]
) -> AsyncIterator[Callable[..., Awaitable[Person]]]:
    """`one = await somebody(theirs)`: at the dashboard's door."""
    async with AsyncExitStack() as people:

        async def come(voice: Voice | None = None, **context: Any) -> Person:
            browser = await browsers(voice)
            return await people.enter_async_context(person(browser, told["api_url"], **context))

        yield come


@pytest_asyncio.fixture(loop_scope="session")
async def owner(somebody: Callable[..., Awaitable[Person]], tenant: Tenant) -> Person:
    """The test's account, signed in to."""
    one = await somebody()
    await one.open()
    await one.sign_in(tenant.rest.key)
    return one
