"""Keys that come by INFO."""

from __future__ import annotations

import pytest

from gateway.sip.events import KeyPressed
from tests.unit.sip.network import Network


@pytest.mark.parametrize(
    ("kind", "body", "key", "duration"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5", 160),
        ("application/dtmf-relay", b"Signal= 6\nDuration= 100\n", "6", 100),
        ("application/dtmf-relay", b"Signal=10\r\nDuration=90", "*", 90),
        ("application/dtmf-relay", b"signal=11", "#", 250),
        ("application/dtmf-relay;charset=x", b"Signal=*\r\n", "*", 250),
        ("application/dtmf-relay", b"Signal=d\r\nDuration=x", "D", 250),
        ("application/dtmf", b"7", "7", 250),
        ("application/dtmf", b" 8 \r\n", "8", 250),
        ("Application/DTMF", b"#", "#", 250),
        ("application/dtmf", b"11\n", "#", 250),
        ("application/dtmf", b"Signal=4\r\nDuration=80\r\n", "4", 80),
        ("application/dtmf-relay", b"3", "3", 250),
        ("application/dtmf-relay", b"Signal=0\r\nSignal=1\r\n", "0", 250),
        ("application/dtmf-relay", b"\r\nSignal=2\r\n\r\nDuration=160.5\r\n", "2", 250),
        ("application/vnd.nortelnetworks.digits", b"p=Digit-Collection\r\nd=9\r\n", "9", 250),
    ],
)
def test_a_key_is_told_once(net: Network, kind: str, body: bytes, key: str, duration: int) -> None:
    out, call = net.connect()
    request = out.request("INFO")
    request.headers.add("Content-Type", kind)
    request.body = body
    out.send(request, net.now)
    net.settle()
    pressed = net.bob.one(KeyPressed)
    assert (pressed.call, pressed.key, pressed.duration_ms) == (call, key, duration)
    assert net.messages()[-1] == "200 INFO"


@pytest.mark.parametrize(
    "body", [b"", b"Signal=\r\n", b"Signal=16\r\n", b"Signal=12x", b"Signal=!", b"Duration=160"]
)
def test_an_info_that_names_no_key_is_400(net: Network, body: bytes) -> None:
    out, _ = net.connect()
    request = out.request("INFO")
    request.headers.add("Content-Type", "application/dtmf-relay")
    request.body = body
    out.send(request, net.now)
    net.settle()
    assert net.messages()[-1] == "400 INFO"
    assert not net.bob.of(KeyPressed)


def test_an_info_about_something_else_is_200(net: Network) -> None:
    out, _ = net.connect()
    request = out.request("INFO")
    request.headers.add("Content-Type", "application/media_control+xml")
    request.body = b"<picture_fast_update/>"
    out.send(request, net.now)
    net.settle()
    assert net.messages()[-1] == "200 INFO"
    assert not net.bob.of(KeyPressed)


def test_a_key_of_ours_is_pressed_by_info(net: Network) -> None:
    out, _ = net.connect()
    out.press("#", net.now)
    net.settle()
    assert net.bob.one(KeyPressed).key == "#"
