"""For everybody: axe-core finds nothing serious in any view, and the keyboard gets everywhere."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.person import Person, unfold

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 812}
MOST_STOPS = 150
_REACHABLE = """() => {
  const all = document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex='0']");
  const seen = (node) => node.checkVisibility() && !node.disabled && node.tabIndex >= 0;
  globalThis.stops = [...all].filter(seen);
  return stops.map((node) => node.outerHTML.slice(0, 120));
}"""
_STOP = """() => {
  const node = document.activeElement;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(node);
  const ring = (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
  return [globalThis.stops.indexOf(node), ring];
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def furnished(tenant, told):
    """An account with something in every view; the views' addresses."""
    rest = tenant.rest
    number = (await rest("POST", "/api/number", {"country": "US"}))["e164"]
    await rest("PATCH", f"/api/number/{number}", {"label": "Reception"})
    await rest("POST", "/api/keys", {"label": "Bot"})
    hook = await rest("POST", "/api/webhooks", {"url": "https://hooks.example/", "label": "Mine"})
    await tenant.connect(9)
    await tenant.add("+15551230077", label="Front desk")
    ticket = await rest("POST", "/api/test-call", {"to": number})
    async with aiohttp.ClientSession() as http, http.ws_connect(ticket["url"]) as socket:
        listening = asyncio.create_task(_drain(socket))
        call = await tenant.rings()
        yield [
            "numbers", "trunks", "calls", "dial", "events", "webhooks", "keys", "trunk/main",
            "connect", "connect/vonage",
            f"call/{call['call_id']}", f"webhook/{hook['endpoint_id']}",
        ]  # fmt: skip
        listening.cancel()


async def _drain(socket):
    async for _ in socket:
        pass


async def at(one: Person, view: str) -> None:
    """The view, drawn, with all that is folded opened."""
    await one.open(f"#/{view}")
    await unfold(one)


@pytest.mark.parametrize(
    ("screen", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")]
)
async def test_axe_finds_nothing_serious(somebody, tenant, furnished, screen, scheme):
    one = await somebody(viewport=screen, color_scheme=scheme)
    await one.open()
    found = {"sign in": await one.serious_faults()}
    await one.sign_in(tenant.rest.key)
    for view in furnished:
        await at(one, view)
        found[view] = await one.serious_faults()
        wide = await one.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{view} is {wide} px wider than the screen"
    assert not any(found.values()), found


async def test_the_keyboard_gets_everywhere_and_one_sees_where_it_is(owner, furnished):
    for view in furnished:
        await at(owner, view)
        stops = await owner.page.evaluate(_REACHABLE)
        reached = set()
        for _ in range(MOST_STOPS):
            await owner.page.keyboard.press("Tab")
            place, ring = await owner.page.evaluate(_STOP)
            if place in reached:
                break
            if place >= 0:
                reached.add(place)
                assert ring, f"{view}: no focus ring: {stops[place]}"
        missing = [html for place, html in enumerate(stops) if place not in reached]
        assert not missing, f"{view}: {missing}"


async def test_a_question_holds_the_focus_and_gives_it_back(owner, furnished):
    await at(owner, "numbers")
    page = owner.page
    release = page.get_by_role("button", name="Release")
    await release.focus()
    await page.keyboard.press("Enter")
    question = page.get_by_role("dialog")
    await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    for _ in range(4):
        await page.keyboard.press("Tab")
        outside = (
            "document.activeElement !== document.body && !document.activeElement.closest('dialog')"
        )
        assert not await page.evaluate(outside)
    await page.keyboard.press("Escape")
    await expect(question).to_have_count(0)
    await expect(release).to_be_focused()


async def test_a_phone_shows_the_navigation_and_calls(somebody, tenant, furnished):
    one = await somebody(viewport=PHONE, has_touch=True, is_mobile=True)
    await one.open("#/calls")
    await one.sign_in(tenant.rest.key)
    await one.go("Keys")
    await one.sees_heading("Keys")
    await one.go("Calls")
    await (
        one.page.get_by_role("region", name="Ringing now")
        .get_by_role("button", name="Refuse")
        .tap()
    )
    await expect(one.page.get_by_role("list", name="Calls", exact=True)).to_contain_text("Declined")
