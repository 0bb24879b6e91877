"""The picture of a call's sound on its page: where each side was heard, and the same in words."""

from __future__ import annotations

import asyncio
import re

import numpy as np
import pytest_asyncio
from playwright.async_api import expect

from common import g711
from gateway.softphone.phone import Softphone
from local.agent import ringing_on
from tests.sip.support import Agent

MIDDLE, WIDTH = 80, 1000
LOUD_Y = 40
"""Units of the picture by which a band of a loud tone leaves the middle at least."""


def tone(seconds: float, hz: float):
    at = np.arange(int(seconds * 8000))
    return (20000 * np.sin(2 * np.pi * hz * at / 8000)).astype(np.int16)


@pytest_asyncio.fixture(loop_scope="session")
async def call_id(tenant, told):
    """A call that is over: the agent spoke for 0.8 s, then the caller for 1.2 s, who pressed a
    key."""
    number = (await tenant.rest("POST", "/api/number", {"country": "US"}))["e164"]
    await tenant.rest("PATCH", f"/api/number/{number}", {"auto_answer": True})
    phone = Softphone(
        told["gateway_url"], told["provider_account_sid"], told["provider_auth_token"]
    )
    caller = await phone.place_call(number)
    await caller.answered.wait()
    (call,) = (await tenant.rest("GET", "/api/calls"))["calls"]
    async with Agent(call) as agent:
        await agent.say(tone(0.8, 440))
        await asyncio.sleep(1)  # a pause that must be seen as one
        await caller.play(g711.encode(tone(1.2, 600).tobytes()))
        caller.dtmf("5")
        await asyncio.sleep(1)
        caller.hangup()
        await agent.dismissed()
    return call["call_id"]


async def loud_stretches(page, band: str) -> list[tuple[float, float]]:
    """Return where a band is loud: [(from, to)] as shares of the picture's width."""
    path = await page.locator(f"svg.sound path.{band}").get_attribute("d")
    points = [(float(x), float(y)) for x, y in re.findall(r"L([\d.]+) ([\d.]+)", path)]
    found: list[list[float]] = []
    for (left, y), (right, _) in zip(points[::2], points[1::2], strict=False):
        if abs(y - MIDDLE) < LOUD_Y:
            continue
        if found and left - found[-1][1] < WIDTH / 50:
            found[-1][1] = right
        else:
            found.append([left, right])
    return [(left / WIDTH, right / WIDTH) for left, right in found]


async def test_the_bands_show_where_each_side_was_heard(owner, call_id, tenant):
    page = owner.page
    await owner.open(f"#/call/{call_id}")
    sound = page.get_by_role("region", name="Sound")
    picture = sound.get_by_role("img", name=re.compile("^Loudness over"))
    await expect(picture).to_be_visible(timeout=15_000)
    levels = await tenant.rest("GET", f"/api/call/{call_id}/levels")
    length_s = max(len(levels["caller"]), len(levels["heard"])) / 10
    ((agent_from, agent_to),) = await loud_stretches(page, "heard")
    ((caller_from, caller_to),) = await loud_stretches(page, "caller")
    assert abs((agent_to - agent_from) * length_s - 0.8) < 0.35
    assert abs((caller_to - caller_from) * length_s - 1.2) < 0.35
    assert (caller_from - agent_to) * length_s > 0.5, "one after the other, with a pause"
    await expect(picture.locator("rect.key")).to_have_count(1)
    await expect(sound.get_by_text("First sound after")).to_be_visible()


async def test_the_picture_is_a_table_for_those_who_do_not_see_it(owner, call_id):
    await owner.open(f"#/call/{call_id}")
    sound = owner.page.get_by_role("region", name="Sound")
    await sound.get_by_text("The picture as a table").click()
    table = sound.get_by_role("table")
    await expect(table.get_by_role("row").filter(has_text="The caller is heard")).to_have_count(1)
    await expect(table.get_by_role("row").filter(has_text="pressed a key")).to_have_count(1)
    assert await owner.serious_faults() == []


async def test_a_call_that_nobody_answered_has_no_picture(owner, tenant, told):
    number = (await tenant.rest("POST", "/api/number", {"country": "US"}))["e164"]
    phone = Softphone(
        told["gateway_url"], told["provider_account_sid"], told["provider_auth_token"]
    )
    caller = await phone.place_call(number)
    missed = await ringing_on(tenant.rest, number)
    caller.hangup()
    await tenant.rest.wait_for(missed, "missed")
    await owner.open(f"#/call/{missed}")
    await expect(owner.page.get_by_role("heading", name="Timeline")).to_be_visible()
    await expect(owner.page.get_by_role("region", name="Sound")).to_have_count(0)
