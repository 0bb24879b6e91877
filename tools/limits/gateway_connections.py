"""Limits of the connections to the gateway: HTTP, and the sockets of parties."""

from __future__ import annotations

from tools.limits.limit import Limit

_UNIT = "tests/unit/gateway"
_STRANGERS = f"{_UNIT}/test_strangers.py"
_NOISY = f"{_UNIT}/test_noisy_peers.py"

CONNECTIONS = (
    Limit(
        resource="HTTP connections without credentials",
        constant="runtime.strangers:MAX_UNKNOWN",
        unit="at once",
        owner="process",
        beyond="the oldest is closed",
        test=f"{_STRANGERS}::test_too_many_connections_in_all_close_the_oldest",
    ),
    Limit(
        resource="HTTP connections without credentials of one address",
        constant="runtime.strangers:MAX_UNKNOWN_PER_SOURCE",
        unit="at once",
        owner="source address",
        beyond="its oldest is closed",
        test=f"{_STRANGERS}::test_an_address_with_too_many_connections_loses_its_oldest",
    ),
    Limit(
        resource="Time for a request's head, and between requests",
        constant="runtime.strangers:KEEPALIVE_S",
        unit="s",
        owner="socket",
        beyond="closed",
        test=f"{_STRANGERS}::test_a_head_that_trickles_in_is_cut_off",
    ),
    Limit(
        resource="Time for a request's body",
        constant="runtime.strangers:BODY_S",
        unit="s",
        owner="socket",
        beyond="408",
        test=f"{_STRANGERS}::test_a_form_that_trickles_in_is_408",
    ),
    Limit(
        resource="Time in which a peer reads nothing of its answer",
        constant="runtime.strangers:UNREAD_S",
        unit="s",
        owner="socket",
        beyond="closed",
        test=f"{_STRANGERS}::test_a_peer_that_never_reads_is_disconnected",
    ),
    Limit(
        resource="A request's body",
        constant="gateway.http.listener:MAX_FORM",
        unit="bytes",
        owner="socket",
        beyond="413",
        test=f"{_STRANGERS}::test_a_form_that_is_too_long_is_413",
    ),
)

SOCKETS = (
    Limit(
        resource="Numbers of socket parties that wait for calls",
        constant="gateway.legs.socket.routes:MAX_LINES",
        unit="",
        owner="process",
        beyond="503",
        test=f"{_NOISY}::test_numbers_that_wait_for_calls_are_bounded",
    ),
    Limit(
        resource="Messages of a socket party",
        constant="gateway.legs.socket.routes:MESSAGES_A_SECOND",
        unit="a second, 1,000 at once",
        owner="socket",
        beyond="closed with 4429",
        test=f"{_NOISY}::test_a_party_that_floods_is_hung_up_on",
    ),
    Limit(
        resource="Audio of a socket party",
        constant="gateway.legs.socket.leg:FRAMES_A_SECOND",
        unit="frames a second, 50 at once",
        owner="socket",
        beyond="dropped",
        test=f"{_NOISY}::test_a_party_that_floods_is_hung_up_on",
    ),
    Limit(
        resource="A message of a socket party",
        constant="gateway.http.listener:MAX_MESSAGE",
        unit="bytes",
        owner="socket",
        beyond="closed with 1009",
        test=f"{_NOISY}::test_a_partys_message_that_is_too_long_closes_its_socket",
    ),
    Limit(
        resource="Audio that waits for a socket party",
        constant="gateway.legs.socket.leg:QUEUE",
        unit="frames",
        owner="socket",
        beyond="dropped",
        test=f"{_NOISY}::test_a_party_that_never_reads_is_disconnected",
    ),
    Limit(
        resource="Messages that wait for a socket party",
        constant="gateway.legs.socket.leg:QUEUE_MESSAGES",
        unit="",
        owner="socket",
        beyond="closed",
        test=f"{_NOISY}::test_a_party_that_never_reads_is_disconnected",
    ),
    Limit(
        resource="Used tickets that are remembered",
        constant="gateway.legs.socket.tickets:MOST",
        unit="",
        owner="process",
        beyond="403 until some expire, within three minutes",
        test=f"{_UNIT}/test_tickets.py::test_remembered_tickets_are_bounded",
    ),
    Limit(
        resource="Used tickets that are remembered for one number",
        constant="gateway.legs.socket.tickets:MOST_PER_NUMBER",
        unit="",
        owner="number",
        beyond="403 until some expire, within three minutes",
        test=f"{_UNIT}/test_tickets.py::test_used_tickets_of_one_number_do_not_use_up_the_room_of_others",
    ),
)

CONNECTION_LIMITS: tuple[Limit, ...] = (*CONNECTIONS, *SOCKETS)
