"""A person at the dashboard, whose actions are named in the page's own words. It also watches for
things that the page must never do: errors, reports of the Content-Security-Policy, dialogs,
requests to other hosts.
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
from tests.support.engine import ROOT

_AXE = ROOT / ".venv" / "node" / "node_modules" / "axe-core" / "axe.min.js"
_VIOLATIONS = """async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`);
}"""
CLOSES_WITHIN_S = 15.0
_EXPECTED = ("the server responded with a status of",)
"""Console messages that are no errors: the browser reports each refused request of the page, and
tests provoke refusals."""


class Person:
    """A page of a browser, and the account that it is signed in to."""

    def __init__(self, page: Page, api_url: str) -> None:
        self.page, self.api_url = page, api_url
        self._hosts = {urlsplit(api_url).netloc}
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
        if url.scheme in ("http", "https") and url.netloc not in self._hosts:
            self.wrong.append(f"asked elsewhere: {request.url}")

    def may_ask(self, host: str) -> None:
        """Allow requests to one more host, as to the storage of recordings."""
        self._hosts.add(host)

    async def open(self, view: str = "") -> None:
        """Open a view by its address, as `#/calls`, or the first view; wait until it is loaded."""
        await self.page.evaluate("document.querySelector('h1')?.setAttribute('data-old', '')")
        await self.page.goto(f"{self.api_url}/dashboard{view}")
        await expect(self.page.locator("h1:not([data-old])")).to_be_visible()
        await expect(self.page.get_by_role("status", name="Loading")).to_have_count(0)

    async def sign_up(self, name: str) -> str:
        """Open an account in the page and sign in to it; return its key."""
        await self.open()
        await self.page.get_by_role("textbox", name="Account name").fill(name)
        await self.page.get_by_role("button", name="Open an account").click()
        key = await self.page.locator("code", has_text="chmd_live_").inner_text()
        await self.page.get_by_role("button", name="I have kept it: sign in").click()
        await self.sees_heading("Phone numbers")
        return key

    async def sign_in(self, key: str) -> None:
        """Sign in with a key."""
        await self.page.get_by_role("textbox", name="API key").fill(key)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    async def go(self, section: str) -> None:
        """Go to a section by the navigation; wait until its view has replaced the former."""
        await (
            self.page.get_by_role("navigation")
            .get_by_role("link", name=section, exact=True)
            .click()
        )
        await self.sees_heading(section)

    async def sees_heading(self, text: str) -> None:
        """Check that the view has this title."""
        await expect(
            self.page.get_by_role("heading", level=1, name=text, exact=True)
        ).to_be_visible()

    async def press(self, button: str, *, exact: bool = False) -> None:
        """Press the one button of that name."""
        await self.page.get_by_role("button", name=button, exact=exact).click()

    async def fill(self, **fields: str) -> None:
        """Fill visible text fields, by their names."""
        for name, text in fields.items():
            await self.page.locator(f"input[name={name}]:visible").fill(text)

    async def serious_faults(self) -> list[str]:
        """Return what axe-core finds in the view that would keep people from using it."""
        if not await self.page.evaluate("'axe' in globalThis"):
            await self.page.evaluate(_AXE.read_text())
        return list(await self.page.evaluate(_VIOLATIONS))

    def panel(self, name: str) -> Locator:
        """Return the panel of a conversation of this browser."""
        return self.page.get_by_role("region", name=name)

    async def hears(self, voice: Voice, which: int = 0) -> None:
        """Wait until conversation number `which` of this page has played what somebody said."""
        await until_heard(voice, Loudspeaker(self.page, which).heard)


async def unfold(one: Person) -> None:
    """Unfold everything that is folded in the view that is shown."""
    await one.page.evaluate(
        "document.querySelectorAll('main details').forEach((node) => (node.open = true))"
    )


@asynccontextmanager
async def person(browser: Browser, api_url: str, **context: Any) -> AsyncIterator[Person]:
    """Yield a person at a browser that is not signed in; check at the end that the page has done
    nothing wrong. `context`: arguments of Playwright's `new_context`, as `color_scheme="dark"`.
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
