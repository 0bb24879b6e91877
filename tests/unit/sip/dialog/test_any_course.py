"""Whatever both sides do, over whatever network: no call leaves anything behind."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sip.dialog.call import Call
from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.events import Ended, IncomingCall, TransferRequested
from tests.unit.sip.network import Party, Sound
from tests.unit.sip.rough_network import RoughNetwork

_COMMANDS = (
    *("dial", "dial 100rel", "dial timer", "take", "ring", "progress"),
    *("answer", "answer", "reject", "hangup", "hold", "press", "transfer", "accept", "decline"),
    "report",
)
_WAITS = (0.0, 0.0, 0.1, 0.6, 3.0, 40.0, 100.0)

steps = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob"]), st.sampled_from(_COMMANDS), st.sampled_from(_WAITS)
    ),
    max_size=14,
).map(lambda more: [("alice", "dial", 0.1), *more])


@settings(max_examples=200, deadline=None)
@given(
    steps,
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_nothing_is_left_of_any_call_whatever_happens(
    course: list[tuple[str, str, float]], seed: int, lost: float, spoiled: float
) -> None:
    net = RoughNetwork(seed, lost=lost, spoiled=spoiled)
    for name, command, seconds in course:
        do(net, net.alice if name == "alice" else net.bob, command)
        net.wait(seconds)
    hang_up_all(net)
    net.wait(40)  # what was on its way may still have begun a call
    hang_up_all(net)
    net.wait(200)
    assert net.nothing_left(), net.remains()
    for party in net.parties:
        over = ended(party)
        assert len(over) == len(set(over)), "the end of a call is told once"
        assert set(calls_of(party)) <= set(over)
        for number, event in enumerate(party.events):
            if isinstance(event, Ended):
                later = party.events[number + 1 :]
                assert not [e for e in later if getattr(e, "call", None) is event.call]


def hang_up_all(net: RoughNetwork) -> None:
    for party in net.parties:
        for call in calls_of(party):
            call.hangup(net.now)


def do(net: RoughNetwork, party: Party, command: str) -> None:
    """Give a command to the party's last call, if it makes sense for such a call."""
    if command.startswith("dial"):
        more = {
            "dial 100rel": {"headers": (("Require", "100rel"),)},
            "dial timer": {"session_expires": 90},
        }
        net.dial(**more.get(command, {}))
        return
    calls = calls_of(party)
    if not calls or calls[-1] in ended(party):
        return
    call = calls[-1]
    if isinstance(call, InboundCall):
        do_inbound(net, call, command)
    match command:
        case "hangup":
            call.hangup(net.now, 'enough\r\n"said"')
        case "hold":
            call.hold("sendonly", net.now)
        case "press":
            call.press("5", net.now)
        case "transfer":
            call.transfer("sip:carol@example.com", net.now)
        case "accept" if party.of(TransferRequested):
            call.transfers.accept(net.now)
        case "decline" if party.of(TransferRequested):
            call.transfers.decline(net.now)
        case "report":
            call.transfers.report(200, net.now)


def do_inbound(net: RoughNetwork, call: InboundCall, command: str) -> None:
    if call.media is None and command in ("take", "ring", "progress", "answer"):
        call.take(Sound("bob"), net.now)
        return
    match command:
        case "ring":
            call.ring(net.now)
        case "progress":
            call.progress(net.now)
        case "answer":
            call.answer(net.now)
        case "reject":
            call.reject(net.now, 486)


def calls_of(party: Party) -> list[Call]:
    made = party.net.made if party.name == "alice" else []
    return [*made, *(event.call for event in party.of(IncomingCall))]


def ended(party: Party) -> list[Call]:
    return [event.call for event in party.of(Ended)]
