"""Somebody at the dashboard: what they do, in the page's own words; and a watch on what the page
must never do: errors, reports of the Content-Security-Policy, dialogs, requests elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.browser.chromium import Loudspeaker, tap
from tests.browser.voices import Voice, until_heard

CLOSES_WITHIN_S = 15.0
_EXPECTED = ("the server responded with a status of",)
"""The browser writes each refused request of the page to the console: refusals are tried."""


class Person:
    """One page of one browser, and the account it is signed in to."""

    def __init__(self, page: Page, api_url: str) -> None:
        self.page, self.api_url = page, api_url
        self.wrong: list[str] = []
        self.requested: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(
            words in message.text for words in _EXPECTED
        ):
            self.wrong.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        self.requested.append(request.url)
        url = urlsplit(request.url)
        ours = urlsplit(self.api_url).netloc
        if url.scheme in ("http", "https") and url.netloc != ours:
            self.wrong.append(f"asked elsewhere: {request.url}")

    async def open(self, view: str = "") -> None:
        """A view by its address, as `#/calls`, drawn whole; none: the first."""
        await self.page.evaluate("document.querySelector('h1')?.setAttribute('data-old', '')")
        await self.page.goto(f"{self.api_url}/dashboard{view}")
        await expect(self.page.locator("h1:not([data-old])")).to_be_visible()
        await expect(self.page.get_by_role("status", name="Loading")).to_have_count(0)

    async def sign_up(self, name: str) -> str:
        """An account opened in the page, signed in to. Its key."""
        await self.open()
        await self.page.get_by_role("textbox", name="Account name").fill(name)
        await self.page.get_by_role("button", name="Open an account").click()
        key = await self.page.locator("code", has_text="chmd_live_").inner_text()
        await self.page.get_by_role("button", name="I have kept it: sign in").click()
        await self.sees_heading("AI Answering Machine")
        return key

    async def sign_in(self, key: str) -> None:
        """With a key."""
        await self.page.get_by_role("textbox", name="API key").fill(key)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    async def go(self, section: str) -> None:
        """By the navigation."""
        await (
            self.page.get_by_role("navigation")
            .get_by_role("link", name=section, exact=True)
            .click()
        )

    async def sees_heading(self, text: str) -> None:
        """The view's title."""
        await expect(self.page.get_by_role("heading", level=1, name=text)).to_be_visible()

    async def press(self, button: str, *, exact: bool = False) -> None:
        """The one button of that name."""
        await self.page.get_by_role("button", name=button, exact=exact).click()

    async def fill(self, **fields: str) -> None:
        """Text fields of the one form that has them, by their names."""
        for name, text in fields.items():
            await self.page.locator(f"input[name={name}]:visible").fill(text)

    def panel(self, name: str) -> Locator:
        """A conversation of this browser."""
        return self.page.get_by_role("region", name=name)

    async def hears(self, voice: Voice, which: int = 0) -> None:
        """Until this page's conversation number `which` has played what somebody said."""
        await until_heard(voice, Loudspeaker(self.page, which).heard)


async def unfold(one: Person) -> None:
    """All that is folded, in the view that is shown."""
    await one.page.evaluate(
        "document.querySelectorAll('main details').forEach((node) => (node.open = true))"
    )


@asynccontextmanager
async def person(browser: Browser, api_url: str, **context: Any) -> AsyncIterator[Person]:
    """Somebody at a browser that nobody is signed in with; at the end the page must have done
    nothing wrong. `context`: as Playwright's `new_context`, as `color_scheme="dark"`.
    """
    options = {
        "locale": "en-US",
        "viewport": {"width": 1280, "height": 800},
        "reduced_motion": "reduce",
        **context,
    }
    theirs = await browser.new_context(**options)
    page = await theirs.new_page()
    await tap(page)
    one = Person(page, api_url)
    try:
        yield one
    finally:
        with suppress(TimeoutError):  # a page that hangs must not hold up all other tests
            async with asyncio.timeout(CLOSES_WITHIN_S):
                await theirs.close()
    assert not one.wrong, one.wrong
