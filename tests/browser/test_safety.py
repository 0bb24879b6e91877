"""What others write is text, what the page loads is small and ours, and its policy is strict."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import expect

from tests.browser.person import unfold
from tests.sip.peers import HOST, Sipp
from tests.sip.support import Tenant

ATTACKS = [
    '<img src=x onerror="alert(1)">',
    '"><script>alert(2)</script>',
    "javascript:alert(3)//{{7*7}}${7*7}",
]
FIRST_LOAD_BYTES = 100_000
VIEWS = ["numbers", "trunks", "connect", "calls", "dial", "events", "webhooks", "keys"]


async def shows(page, text):
    """As text, and nothing came of it. (What else a page must never do, `Person` watches.)"""
    await expect(page.get_by_text(text).first).to_be_visible()
    assert await page.locator("main img[src=x], main script").count() == 0


@pytest.mark.parametrize("attack", ATTACKS)
async def test_labels_and_urls_are_shown_as_text(owner, tenant: Tenant, attack):
    number = (await tenant.rest("POST", "/api/number", {"country": "US"}))["e164"]
    await tenant.rest("PATCH", f"/api/number/{number}", {"label": attack})
    await tenant.rest("POST", "/api/keys", {"label": attack})
    hook = {"url": "https://hooks.example/", "label": attack}
    made = await tenant.rest("POST", "/api/webhooks", hook)
    await tenant.connect(9, caller_id="+15551230000", username="u", realm="r")
    await tenant.add("+15551230001", label=attack)
    views = ("numbers", "trunks", "trunk/main", "webhooks", "keys")
    for view in (*views, f"webhook/{made['endpoint_id']}"):
        await owner.open(f"#/{view}")
        await shows(owner.page, attack)
    await owner.open("#/events")
    await expect(owner.page.get_by_text("number.activated").first).to_be_visible()
    await unfold(owner)
    await shows(owner.page, json.dumps(attack)[1:-1])


async def test_what_sip_says_is_shown_as_text(owner, tenant, told):
    number = (await tenant.rest("POST", "/api/number", {"country": "US"}))["e164"]
    port = int(told["sip_uri"].rsplit(":", 1)[1].split(";")[0])
    user = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
    name = f'"<script>alert(1)</script>" <sip:{user}@{HOST}>'
    async with Sipp.uac("is_refused", port, number=number, caller=name, code=486) as caller:
        ringing = await tenant.rings()
        assert "<img" in ringing["from"] or "%3Cimg" in ringing["from"]
        for view in ("calls", f"call/{ringing['call_id']}"):
            await owner.open(f"#/{view}")
            await shows(owner.page, ringing["from"])
        await owner.open("#/calls")
        await owner.press("Refuse")
        await caller.finished()


async def test_the_first_load_is_small_and_ours(somebody, tenant):
    one = await somebody()
    loaded: dict[str, int] = {}

    async def weigh(response):
        if "/dashboard" in response.url:
            loaded[response.url] = len(await response.body())

    one.page.on("response", weigh)
    await one.open()
    await one.sign_in(tenant.rest.key)
    await expect(one.page.get_by_text("No number yet")).to_be_visible()
    assert 5 < len(loaded) < 30
    assert sum(loaded.values()) < FIRST_LOAD_BYTES, loaded
    # That nothing is asked for elsewhere `Person` watches, in every test.


async def test_a_view_that_loads_late_does_not_cover_the_one_that_is_open(somebody, tenant):
    one = await somebody()
    late = asyncio.Event()

    async def hold(route):
        await late.wait()
        await route.continue_()

    await one.page.route("**/pages/numbers.js", hold)
    await one.open()
    await one.sign_in(tenant.rest.key)
    await one.page.evaluate("location.hash = '#/webhooks'")
    # Past the time after which a view that is still awaited is replaced by "Loading".
    await one.page.evaluate("new Promise((done) => setTimeout(done, 200))")
    await expect(one.page.get_by_text("No endpoints yet")).to_be_visible()
    async with one.page.expect_response("**/pages/numbers.js"):
        late.set()
    await one.page.evaluate("import('./dashboard/pages/numbers.js')")
    await expect(one.page.get_by_text("No endpoints yet")).to_be_visible()


async def test_no_view_needs_more_than_its_policy_allows(owner):
    answer = await owner.page.goto(f"{owner.api_url}/dashboard")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    for view in VIEWS:
        await owner.open(f"#/{view}")
        await expect(owner.page.get_by_role("heading", level=1)).to_be_visible()
    refused = await owner.page.evaluate(
        "(() => { try { document.body.innerHTML = '<b>'; } catch (e) { return e.name; } })()"
    )
    assert refused == "TypeError"
    owner.wrong = [each for each in owner.wrong if "TrustedHTML" not in each]
