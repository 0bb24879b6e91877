"""Keys and webhook endpoints, by hand; the receiver is a server of the test's own."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.async_api import expect
from standardwebhooks import Webhook


class Receiver:
    """Answers `status`; keeps what came, with its headers."""

    def __init__(self):
        self.status, self.got, receiver = 200, [], self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


async def test_a_key_is_made_shown_once_used_and_revoked(owner, somebody, tenant):
    page = owner.page
    await owner.go("Keys")
    await page.get_by_role("textbox", name="Label").fill("Phone bot")
    await owner.press("Create key")
    shown = page.get_by_role("dialog", name="Your new key")
    key = await shown.locator("code").inner_text()
    await page.keyboard.press("Escape")
    await expect(shown).to_be_visible()  # not lost by a slip of the hand
    await shown.get_by_role("button", name="I have kept it").click()
    await expect(shown).to_be_hidden()
    keys = page.get_by_role("list", name="Keys")
    row = keys.get_by_role("listitem").filter(has_text="Phone bot")
    await expect(row).to_contain_text(f"ends in {key[-4:]}")
    assert key not in await page.content()

    other = await somebody()
    await other.open("#/calls")
    await other.sign_in(key)
    await other.sees_heading("Calls")
    assert "chamade_session" not in await other.page.evaluate("document.cookie")
    await owner.press("Revoke Phone bot")
    await page.get_by_role("dialog").get_by_role("button", name="Revoke the key").click()
    await expect(row).to_have_count(0)
    await other.page.evaluate("location.hash = '#/dial'")  # unless it has noticed by itself
    await expect(other.page.get_by_text("Your session is over.")).to_be_visible()
    await other.sign_in(tenant.rest.key)
    await other.sees_heading("Dial")  # back where one was


async def test_who_signs_out_is_out(owner):
    await owner.press("Sign out")
    await owner.sees_heading("Sign in to Chamade SIP")
    await owner.page.reload()
    await owner.sees_heading("Sign in to Chamade SIP")
    assert await owner.page.context.cookies() == []


async def test_a_wrong_key_is_refused_in_words(somebody):
    one = await somebody()
    await one.open()
    await one.page.get_by_role("textbox", name="API key").fill("chmd_live_no")
    await one.press("Sign in", exact=True)
    await expect(one.page.get_by_role("alert")).to_contain_text("bad_key")
    await expect(one.page.get_by_role("textbox", name="API key")).to_have_value("")


async def test_what_an_endpoint_did_not_take_is_replayed_to_it(owner, tenant, receiver):
    page = owner.page
    receiver.status = 500
    await owner.go("Webhooks")
    await expect(page.get_by_text("No endpoints yet")).to_be_visible()
    await owner.fill(url=receiver.url, label="My server")
    await owner.press("Add endpoint")
    shown = page.get_by_role("dialog", name="The endpoint's secret")
    secret = await shown.locator("code").inner_text()
    await shown.get_by_role("button", name="I have kept it").click()
    await owner.sees_heading("My server")
    deliveries = page.get_by_role("list", name="Deliveries").get_by_role("listitem")
    await owner.press("Send test")
    await expect(deliveries.filter(has_text="webhook.test")).to_contain_text("Failed")
    await tenant.rest("POST", "/api/number", {"country": "US"})
    real = deliveries.filter(has_text="number.activated")
    await expect(real).to_contain_text("Trying again", timeout=20_000)
    await expect(real).to_contain_text("HTTP 500")
    refused = json.loads(receiver.got[-1][1])

    receiver.status = 200
    await real.get_by_role("button", name="Replay").click()
    await expect(deliveries.filter(has_text="Delivered")).to_have_count(1, timeout=20_000)
    headers, body = receiver.got[-1]
    Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert json.loads(body) == refused
    await deliveries.filter(has_text="Delivered").get_by_text("Tries and body").click()
    await expect(deliveries.filter(has_text="Delivered")).to_contain_text(refused["type"])

    await owner.press("Delete", exact=True)
    await page.get_by_role("dialog").get_by_role("button", name="Delete the endpoint").click()
    await expect(page.get_by_text("No endpoints yet")).to_be_visible()


async def test_a_number_is_renamed_forwarded_to_and_released(owner, tenant):
    page = owner.page
    await owner.press("Activate routing number")
    (number,) = await numbers_of(tenant, page)
    await page.get_by_text("Forward your phone to this number").click()
    codes = page.get_by_role("table")
    await expect(codes).to_contain_text(f"**21*{number['e164']}#")
    await page.get_by_role("combobox", name="Ring for").select_option("10")
    await expect(codes).to_contain_text(f"**61*{number['e164']}*11*10#")
    await page.get_by_text("Label and agent").click()
    await page.get_by_role("textbox", name="Label").fill("Reception")
    await owner.press("Save label")
    await expect(page.get_by_text("Label saved.")).to_be_visible()
    assert (await numbers_of(tenant, page))[0]["label"] == "Reception"
    await owner.press("Release")
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert await numbers_of(tenant, page)
    await owner.press("Release")
    await page.get_by_role("dialog").get_by_role("button", name="Release the number").click()
    await expect(page.get_by_text("No number yet")).to_be_visible()
    assert await numbers_of(tenant, page) == []


async def numbers_of(tenant, page):
    await expect(page.locator("[aria-busy]")).to_have_count(0)
    return (await tenant.rest("GET", "/api/numbers"))["numbers"]
