"""Limits of one machine: the local HTTP server, the engine, the carrier."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/local/test_connections.py::test_"
_BOUNDS = "local.connections:Bounds."

LIMITS: tuple[Limit, ...] = (
    Limit(
        "voice hosts of `make run`",
        "local.voice_hosts:MOST",
        "",
        "process",
        "`make run` does not start, and says so",
        "tests/unit/local/test_voice_hosts.py::test_a_number_of_hosts_that_cannot_be_is_refused_by_name",
    ),
    Limit(
        "connections to the API",
        f"{_BOUNDS}connections",
        "",
        "process",
        "the oldest one goes that is not being answered and never sent a signed request",
        f"{_TESTS}the_oldest_silent_connections_are_closed_for_new_ones",
    ),
    Limit(
        "requests of the API at a time, long polls among them",
        f"{_BOUNDS}api_requests",
        "",
        "process",
        "one more waits two seconds for its turn, then 503; webhooks have room of their own",
        f"{_TESTS}long_polls_beyond_their_limit_are_refused_while_webhooks_are_answered",
    ),
    Limit(
        "requests of providers, relays and the gateway at a time",
        f"{_BOUNDS}signed_requests",
        "",
        "process",
        "one more waits two seconds for its turn, then 503",
        f"{_TESTS}webhooks_beyond_their_limit_wait_and_are_then_refused",
    ),
    Limit(
        "request line and headers",
        f"{_BOUNDS}head_bytes",
        "bytes",
        "socket",
        "431, and the connection is closed",
        f"{_TESTS}a_head_that_is_too_long_is_refused",
    ),
    Limit(
        "a request's body",
        f"{_BOUNDS}body_bytes",
        "bytes",
        "socket",
        "413 before it is read, and the connection is closed",
        f"{_TESTS}a_body_that_is_too_long_is_refused_before_it_is_read",
    ),
    Limit(
        "bodies above 64 KiB at a time",
        f"{_BOUNDS}large_bodies",
        "",
        "process",
        "503; smaller bodies, as all signed requests have, are taken",
        f"{_TESTS}large_bodies_beyond_their_limit_are_refused_and_small_ones_accepted",
    ),
    Limit(
        "a connection on which no request begins",
        f"{_BOUNDS}idle_s",
        "s",
        "socket",
        "it is closed",
        f"{_TESTS}a_connection_without_a_request_is_closed_in_time",
    ),
    Limit(
        "headers that come slowly",
        f"{_BOUNDS}head_s",
        "s from their first byte",
        "socket",
        "the connection is closed",
        f"{_TESTS}a_head_sent_byte_by_byte_is_cut_off_in_time",
    ),
    Limit(
        "a body that comes slowly",
        f"{_BOUNDS}body_s",
        "s",
        "socket",
        "the connection is closed",
        f"{_TESTS}a_body_sent_byte_by_byte_is_cut_off_in_time",
    ),
    Limit(
        "an answer that is not read",
        f"{_BOUNDS}send_s",
        "s",
        "socket",
        "the connection is closed",
        f"{_TESTS}a_client_that_never_reads_is_disconnected_in_time",
    ),
    Limit(
        "a part's log",
        "local.processes:LOG_KEPT",
        "bytes, and as much that was set aside",
        "process",
        "it is set aside as `.log.old`, in the place of the one before",
        "tests/unit/local/test_part_logs.py"
        "::test_a_log_that_is_too_long_is_rotated_while_its_part_keeps_writing",
    ),
    Limit(
        "a message to the carrier of `make run`, which keeps none",
        "local.carrier:LONGEST",
        "bytes",
        "socket",
        "it is not read",
        "tests/unit/local/test_carrier.py::test_no_datagram_stops_the_carrier",
    ),
    Limit(
        "sockets that other machines reach",
        "0",
        "",
        "installation",
        "a test fails: everything listens on loopback, the engine too, which asks for no password",
        "tests/integration/test_loopback.py::test_the_whole_stack_listens_on_loopback_only",
    ),
)
