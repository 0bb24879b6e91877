"""`python -m tests.browser.screenshots`: the dashboard's pictures in docs/screenshots, of a stack
of its own on which a small firm has been telephoning.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import expect

from gateway.softphone.call import PhoneCall
from local.agent import Talk
from tests.browser.chromium import chromium
from tests.browser.person import Person, person
from tests.browser.voices import Voice
from tests.sip.peers import Carrier, Sipp
from tests.sip.support import CALLED, PASSWORD, USER, Tenant
from tests.support.engine import ROOT
from tests.support.running import Live, stack_up

FOLDER = ROOT / "docs" / "screenshots"
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 812}, "color_scheme": "light"},
}
OFFICE, DESK, SUPPORT = "+15551230000", "+15551230014", "+15551230077"
COLOURS = 256
SPEAKING = """[...document.querySelectorAll("#conversations [role=meter]")].every(
  (meter) => Number(meter.getAttribute("aria-valuenow")) > -30)"""


async def main() -> None:
    """One stack, one afternoon, three looks."""
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        stack_up(Path(folder)) as process,
    ):
        line = Live(process.read_stack_file())
        async with the_firm(line) as views:
            await pictures(line, views)


@asynccontextmanager
async def the_firm(live: Live) -> AsyncIterator[dict[str, str]]:
    """Its numbers, trunk, calls and endpoint; the addresses of the views, by name."""
    rest, tenant = live.rest, Tenant(live.rest)
    await rest("PATCH", f"/api/number/{live.number}", {"label": "Reception"})
    await rest("POST", "/api/keys", {"label": "Reception agent"})
    await rest("POST", "/api/keys", {"label": "Claude"})
    hook = await rest(
        "POST", "/api/webhooks", {"url": "https://hooks.example.com/calls", "label": "CRM"}
    )
    async with Carrier({USER: PASSWORD}, dids={OFFICE: USER, DESK: USER, SUPPORT: USER}) as carrier:
        await tenant.register(carrier, caller_id=OFFICE)
        await tenant.add(OFFICE, label="Office", auto_answer=True)
        await tenant.add(DESK, label="Front desk")
        await tenant.add(SUPPORT, label="Support line")
        talked = await conversation(live)
        refused, call_id = await rings(live, "+33639980214")
        await rest("POST", f"/api/call/{call_id}/refuse")
        await asyncio.wait_for(refused.ended.wait(), 10)
        impatient, _ = await rings(live, "+442079460018")
        impatient.hangup()
        await outbound(tenant, carrier)
        yield {
            "numbers": "#/numbers",
            "trunks": "#/trunks",
            "trunk": "#/trunk/main",
            "connect": "#/connect/sipgate",
            "calls": "#/calls",
            "call": f"#/call/{talked}",
            "dial": "#/dial",
            "events": "#/events",
            "webhooks": "#/webhooks",
            "webhook": f"#/webhook/{hook['endpoint_id']}",
            "keys": "#/keys",
        }


async def rings(live: Live, from_: str) -> tuple[PhoneCall, str]:
    """A call of that number, and its id."""
    call = await live.phone().place_call(live.number, from_=from_)
    await call.ringing.wait()
    return call, await live.call_id(from_)


async def conversation(live: Live) -> str:
    """A call of some seconds, both talking; its id."""
    ours, theirs = Voice("greeting"), Voice("caller")
    caller, call_id = await rings(live, "+33199004410")
    accepted = await live.rest("POST", f"/api/call/{call_id}/accept")
    talk = Talk(accepted["audio"])
    talking = asyncio.create_task(talk.run(ours.mulaw(1)))
    await asyncio.wait_for(talk.started.wait(), 10)
    await caller.play(theirs.mulaw(1))
    caller.dtmf("2")
    await asyncio.wait_for(talk.played.wait(), 10)
    caller.hangup()
    await talking
    return call_id


async def outbound(tenant: Tenant, carrier: Carrier) -> None:
    """One dialled call that is answered, and one to a number that is busy."""
    async with Sipp.uas("answers") as callee:
        await carrier.route(CALLED, callee.address)
        call = await tenant.dial()
        await tenant.is_active(call)
        talking = asyncio.create_task(Talk(call["audio"]).run(b""))
        await asyncio.sleep(2)
        await tenant.leave(call)
        await talking
    async with Sipp.uas("refuses", code=486) as busy:
        await carrier.route("+33199001235", busy.address)
        await tenant.over(await tenant.dial("+33199001235"))


async def pictures(live: Live, views: dict[str, str]) -> None:
    """Each view in each look; signing in, and talking, too."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    voice = Voice("caller")  # its file is there for as long as it is
    async with chromium(voice.microphone) as browser:
        for look, context in LOOKS.items():
            async with person(browser, live.stack["api_url"], **context) as one:
                await one.open()
                await expect(one.page.get_by_text("New here?")).to_be_visible()
                await take(one, "sign-in", look)
                await one.sign_in(live.rest.key)
                for name, address in views.items():
                    ringing = [await rings(live, "+15125550142")] if name == "calls" else []
                    await one.open(address)
                    await take(one, name, look)
                    for call, _ in ringing:
                        call.hangup()
                await talking(one, look)


async def talking(one: Person, look: str) -> None:
    """Both ends of a test call in one browser."""
    await one.open("#/numbers")
    await one.page.get_by_role("button", name="Test call to").first.click()
    await one.press("Answer here")
    panels = one.page.get_by_role("complementary").get_by_role("region")
    await expect(panels.last).to_contain_text("Connected")
    async with asyncio.timeout(20):
        while not await one.page.evaluate(SPEAKING):  # noqa: ASYNC110 - the page's policy forbids eval
            await asyncio.sleep(0.05)
    await take(one, "talk", look)
    for _ in range(2):
        await one.page.get_by_role("button", name="Hang up").first.click()


async def take(one: Person, name: str, look: str) -> None:
    """One picture."""
    await one.page.mouse.move(0, 0)
    await one.page.evaluate("document.getElementById('toasts').replaceChildren()")
    path = FOLDER / f"{name}-{look}.png"
    await one.page.screenshot(path=path, animations="disabled")
    path.write_bytes(fewer_colours(path.read_bytes()))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def fewer_colours(png: bytes) -> bytes:
    """The same picture with a palette: a third of the size."""
    small = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    asyncio.run(main())
