"""The messages of the door, the ids that it has seen, and requests to an agent, without sockets."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.requests_to_agent import MAX_REQUESTS, RefusedRequestError, RequestsToAgent
from relay.core.seen_ids import MAX_IDS_PER_CALL, REMEMBERED_S, SeenIds
from relay.protocol import door_messages
from relay.protocol.agent import BadMessageError, ChamadeDialect, Reply
from relay.protocol.door_messages import AgentRequest, Command, MalformedError
from tests.unit.relay.scene import MULAW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON | st.just("req_12345678"),
        "owner": JSON | st.just("http://relay-1:8703"),
        "method": JSON | st.sampled_from(["request", "clear", "dtmf", "changed"]),
        "params": JSON,
        "wait_s": JSON | st.floats(),
    },
)
RAW = msgspec.Raw(b"{}")


def parsed(body: bytes) -> Command | None:
    try:
        return door_messages.parse(body)
    except MalformedError:
        return None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_malformed(body: bytes) -> None:
    parsed(body)


@given(FIELDS)
def test_any_object_is_a_command_with_good_fields_or_malformed(fields: dict[str, Any]) -> None:
    command = parsed(json.dumps(fields).encode())
    if command is not None:
        assert 8 <= len(command.id) <= 128
        assert 0 <= command.wait_s <= door_messages.MAX_WAIT_S
        assert command.owner is None or command.owner.startswith("http")
        assert json.loads(bytes(command.params)) == fields.get("params", {})


@given(JSON)
def test_parameters_are_passed_on_as_they_came_and_without_an_owner(params: Any) -> None:
    fields = {
        "id": "req_12345678", "owner": "http://relay-1:8703", "method": "request", "wait_s": 2.5,
        "params": {"method": "say", "params": params},
    }  # fmt: skip
    command = door_messages.parse(json.dumps(fields).encode())
    assert json.loads(door_messages.passed_on(command)) == fields | {"owner": None}
    asked = door_messages.parse_params(command.params, AgentRequest)
    text = ChamadeDialect(MULAW, takes_requests=True).request("req_1", asked.method, asked.params)
    expected = {"type": "request", "id": "req_1", "method": "say", "params": params}
    assert json.loads(text or b"") == expected


@given(st.text() | st.binary())
def test_any_text_of_a_host_is_a_message_or_an_error(text: str | bytes) -> None:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    with contextlib.suppress(BadMessageError):
        ChamadeDialect(MULAW, takes_requests=True).parse(raw)


def test_an_id_is_remembered_for_as_long_as_its_signature_is_good() -> None:
    seen = SeenIds()
    assert seen.add("req_1", "call_1", 100.0) == "new"
    assert seen.add("req_1", "call_1", 100.0 + REMEMBERED_S - 0.01) == "seen"
    assert seen.add("req_1", "call_1", 100.0 + REMEMBERED_S) == "new"


def test_new_ids_are_refused_rather_than_old_ones_forgotten() -> None:
    seen = SeenIds(most=3)
    added = [seen.add(f"req_{n}", "call_1", 100.0 + n) for n in range(4)]
    assert added == ["new"] * 3 + ["full"]
    assert seen.add("req_0", "call_1", 103.0) == "seen"
    assert seen.add("req_3", "call_1", 100.0 + REMEMBERED_S) == "new", "the oldest has had its time"


def test_a_call_takes_its_share_of_the_ids_and_leaves_room_for_the_others() -> None:
    seen = SeenIds()
    for n in range(MAX_IDS_PER_CALL):
        assert seen.add(f"req_{n}", "call_1", 100.0) == "new"
    assert seen.add("req_more", "call_1", 101.0) == "call_full"
    assert seen.add("req_0", "call_1", 101.0) == "seen", "none of its ids was forgotten"
    assert seen.add("req_more", "call_2", 101.0) == "new"
    assert seen.add("req_later", "call_1", 100.0 + REMEMBERED_S) == "new"


class Asked:
    """Requests to an agent, with what was sent and what came back."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.replies: list[tuple[str, Any]] = []
        self.requests = RequestsToAgent(lambda text: self.sent.append(json.loads(text)["id"]))

    def ask(self, id_: str) -> None:
        self.requests.ask(id_, "say", RAW, self._on_reply)

    def _on_reply(self, reply: Reply) -> None:
        self.replies.append((reply.id, reply.ok or (reply.error or {})["code"]))


def host() -> ChamadeDialect:
    return ChamadeDialect(MULAW, takes_requests=True)


def test_requests_wait_for_the_agent_and_are_sent_in_order() -> None:
    asked = Asked()
    for id_ in ("a", "b"):
        asked.ask(id_)
    assert asked.sent == []
    asked.requests.begin(host())
    asked.ask("c")
    assert asked.sent == ["a", "b", "c"]


def test_a_lost_agent_fails_what_it_was_sent_and_the_next_gets_what_came_since() -> None:
    asked = Asked()
    asked.requests.begin(host())
    asked.ask("a")
    asked.requests.lose_agent()
    asked.ask("b")
    asked.requests.begin(host())
    assert (asked.sent, asked.replies) == (["a", "b"], [("a", "agent_lost")])
    asked.requests.take(Reply("a", True))
    asked.requests.take(Reply("b", True))
    asked.requests.take(Reply("b", True))
    assert asked.replies == [("a", "agent_lost"), ("b", True)], "one answer each"


def test_an_agent_that_takes_no_requests_fails_those_that_waited() -> None:
    asked = Asked()
    asked.ask("a")
    asked.requests.begin(ChamadeDialect(MULAW))
    assert asked.replies == [("a", "no_requests")]
    with pytest.raises(RefusedRequestError):
        asked.ask("b")
    assert len(asked.requests) == 0


def test_requests_without_a_reply_are_bounded_and_one_that_is_given_up_makes_room() -> None:
    asked = Asked()
    for number in range(MAX_REQUESTS):
        asked.ask(f"req_{number}")
    with pytest.raises(RefusedRequestError) as refused:
        asked.ask("more")
    assert refused.value.code == "too_many"
    assert asked.requests.give_up("req_0") is False, "it was not sent"
    asked.ask("more")
    asked.requests.end("call_over", "the call is over")
    assert len(asked.replies) == MAX_REQUESTS
    assert len(asked.requests) == 0


def test_an_id_that_is_under_way_is_refused() -> None:
    asked = Asked()
    asked.ask("a")
    with pytest.raises(RefusedRequestError) as refused:
        asked.ask("a")
    assert refused.value.code == "request_exists"
