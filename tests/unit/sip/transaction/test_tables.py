"""The rows of the four tables, as RFC 3261 17 and RFC 6026 draw them; all else is absorbed."""

from __future__ import annotations

import pytest

from gateway.sip.syntax.message import respond
from gateway.sip.transaction.table import State
from tests.unit.sip.transaction.scene import UDP, Scene, request

CALLING, TRYING, PROCEEDING = State.CALLING, State.TRYING, State.PROCEEDING
ACCEPTED, COMPLETED, CONFIRMED = State.ACCEPTED, State.COMPLETED, State.CONFIRMED
END = State.TERMINATED

# For each: the events that lead to a state, and the rows: (state, event): (state, sent, told).
INVITE_CLIENT = (
    {
        CALLING: [],
        PROCEEDING: ["1xx"],
        ACCEPTED: ["2xx"],
        COMPLETED: ["3xx-6xx"],
        END: ["timer B"],
    },
    {
        (CALLING, "timer A"): (CALLING, "INVITE", ""),
        (CALLING, "timer B"): (END, "", "no answer at 0"),
        (CALLING, "flow lost"): (END, "", "the connection broke at 0"),
        (CALLING, "1xx"): (PROCEEDING, "", "180"),
        (CALLING, "2xx"): (ACCEPTED, "", "200"),
        (CALLING, "3xx-6xx"): (COMPLETED, "ACK", "486"),
        (PROCEEDING, "timer B"): (END, "", "no answer at 0"),  # runs after `expect_end` only
        (PROCEEDING, "flow lost"): (END, "", "the connection broke at 0"),
        (PROCEEDING, "1xx"): (PROCEEDING, "", "180"),
        (PROCEEDING, "2xx"): (ACCEPTED, "", "200"),
        (PROCEEDING, "3xx-6xx"): (COMPLETED, "ACK", "486"),
        (ACCEPTED, "2xx"): (ACCEPTED, "", "200"),
        (ACCEPTED, "timer M"): (END, "", ""),
        (COMPLETED, "3xx-6xx"): (COMPLETED, "ACK", ""),
        (COMPLETED, "timer D"): (END, "", ""),
        (COMPLETED, "flow lost"): (END, "", ""),
    },
    ["1xx", "2xx", "3xx-6xx", "flow lost", *(f"timer {name}" for name in "ABDM")],
)
OTHER_CLIENT = (
    {TRYING: [], COMPLETED: ["2xx"], END: ["timer F"]},
    {
        (TRYING, "timer E"): (TRYING, "OPTIONS", ""),
        (TRYING, "timer F"): (END, "", "no answer at 0"),
        (TRYING, "flow lost"): (END, "", "the connection broke at 0"),
        (TRYING, "1xx"): (TRYING, "", "180"),
        (TRYING, "2xx"): (COMPLETED, "", "200"),
        (TRYING, "3xx-6xx"): (COMPLETED, "", "486"),
        (COMPLETED, "timer K"): (END, "", ""),
        (COMPLETED, "flow lost"): (END, "", ""),
    },
    ["1xx", "2xx", "3xx-6xx", "flow lost", *(f"timer {name}" for name in "EFK")],
)
INVITE_SERVER = (
    {
        PROCEEDING: ["send 1xx"],
        ACCEPTED: ["send 2xx"],
        COMPLETED: ["send 3xx-6xx"],
        CONFIRMED: ["send 3xx-6xx", "ACK"],
        END: ["send 3xx-6xx", "ACK", "timer I"],
    },
    {
        (PROCEEDING, "request"): (PROCEEDING, "180", ""),
        (PROCEEDING, "send 1xx"): (PROCEEDING, "180", ""),
        (PROCEEDING, "send 2xx"): (ACCEPTED, "200", ""),
        (PROCEEDING, "send 3xx-6xx"): (COMPLETED, "486", ""),
        (PROCEEDING, "ACK"): (PROCEEDING, "", "ACK"),
        (ACCEPTED, "send 2xx"): (ACCEPTED, "200", ""),
        (ACCEPTED, "ACK"): (ACCEPTED, "", "ACK"),
        (ACCEPTED, "timer L"): (END, "", ""),
        (COMPLETED, "request"): (COMPLETED, "486", ""),
        (COMPLETED, "timer G"): (COMPLETED, "486", ""),
        (COMPLETED, "timer H"): (END, "", "no ACK at 0"),
        (COMPLETED, "ACK"): (CONFIRMED, "", ""),
        (CONFIRMED, "timer I"): (END, "", ""),
        (END, "request"): (END, "", "request INVITE"),  # a new one
        (END, "ACK"): (END, "", "ACK"),
    },
    [
        *("request", "ACK", "send 1xx", "send 2xx", "send 3xx-6xx"),
        *(f"timer {name}" for name in "GHIL"),
    ],
)
OTHER_SERVER = (
    {TRYING: ["send 1xx"], COMPLETED: ["send 2xx"], END: ["send 2xx", "timer J"]},
    {
        (TRYING, "request"): (TRYING, "180", ""),
        (TRYING, "send 1xx"): (TRYING, "180", ""),
        (TRYING, "send 2xx"): (COMPLETED, "200", ""),
        (TRYING, "send 3xx-6xx"): (COMPLETED, "486", ""),
        (COMPLETED, "request"): (COMPLETED, "200", ""),
        (COMPLETED, "timer J"): (END, "", ""),
        (END, "request"): (END, "", "request OPTIONS"),
    },
    ["request", "send 1xx", "send 2xx", "send 3xx-6xx", "timer J"],
)
STATUS = {"1xx": 180, "2xx": 200, "3xx-6xx": 486}


def cases(plan):
    states, rows, events = plan
    return [
        (states[state], event, rows.get((state, event), (state, "", "")))
        for state in states
        for event in events
    ]


def happen(scene, transaction, event):
    word, _, rest = event.partition(" ")
    method = transaction.request.method
    match word:
        case "timer":
            transaction.on_timer(rest, 0.0)
        case "flow":
            scene.layer.lose_flow(transaction.flow, 0.0)
        case "request":
            scene.receive(request(method))
        case "ACK":
            scene.receive(request("ACK"))
        case "send":
            scene.answer(transaction, STATUS[rest])
        case _:
            # Not by the layer: also what comes when the transaction is over is to be absorbed.
            transaction.receive(respond(transaction.request, STATUS[word]), 0.0)
    scene.collect()


def check(scene, transaction, path, event, expected):
    for step in path:
        happen(scene, transaction, step)
    scene.sent.clear()
    scene.told.clear()
    happen(scene, transaction, event)
    sent = " ".join(
        str(getattr(message, "method", "") or message.status) for _, _, message in scene.sent
    )
    assert (transaction.state, sent, " ".join(scene.told)) == expected


@pytest.mark.parametrize(("path", "event", "expected"), cases(INVITE_CLIENT))
def test_an_invite_of_ours(path, event, expected):
    scene = Scene()
    check(scene, scene.send(request()), path, event, expected)


@pytest.mark.parametrize(("path", "event", "expected"), cases(OTHER_CLIENT))
def test_another_request_of_ours(path, event, expected):
    scene = Scene()
    check(scene, scene.send(request("OPTIONS")), path, event, expected)


@pytest.mark.parametrize(("path", "event", "expected"), cases(INVITE_SERVER))
def test_an_invite_that_came(path, event, expected):
    scene = Scene()
    scene.receive(request(), UDP)
    check(scene, scene.requests[0], path, event, expected)


@pytest.mark.parametrize(("path", "event", "expected"), cases(OTHER_SERVER))
def test_another_request_that_came(path, event, expected):
    scene = Scene()
    scene.receive(request("OPTIONS"), UDP)
    check(scene, scene.requests[0], path, event, expected)


def test_a_request_that_comes_again_before_it_is_answered_is_absorbed(scene):
    scene.receive(request("OPTIONS"))
    scene.receive(request("OPTIONS"))
    scene.receive(request("INVITE"))
    scene.receive(request("INVITE"))
    assert scene.told == ["request OPTIONS", "request INVITE"]
    assert scene.sent == []
