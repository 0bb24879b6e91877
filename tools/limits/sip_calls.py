"""Limits of the SIP library: calls, registrations and connections."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/sip"
_BOUNDS = f"{_TESTS}/dialog/test_bounds.py"
_CONNECTIONS = f"{_TESTS}/test_connections.py"

SIP_CALL_LIMITS: tuple[Limit, ...] = (
    Limit(
        "calls of a SIP user agent that is told no other bound; the gateway's is told twice its "
        "own, as ended calls wait for late messages",
        "gateway.sip.agent:MAX_CALLS",
        "calls",
        "process",
        "503 with Retry-After; a dial fails at once",
        f"{_BOUNDS}::test_calls_beyond_the_bound_are_refused_with_503_until_one_is_over",
        "GATEWAY_MAX_CALLS",
    ),
    Limit(
        "called parties of one INVITE",
        "gateway.sip.dialog.fork:MAX_FORKS",
        "called parties",
        "call",
        "one that rings is not told apart; one that answers takes the place of one that rings",
        f"{_BOUNDS}::test_a_called_party_beyond_the_bound_that_answers_has_the_call",
    ),
    Limit(
        "proxies of a dialog's route set",
        "gateway.sip.dialog.dialog:MAX_ROUTES",
        "Record-Routes",
        "call",
        "an INVITE is answered 400; an answer is acknowledged and ended, with the reason",
        f"{_BOUNDS}::test_an_invite_that_has_passed_too_many_proxies_is_400",
    ),
    Limit(
        "addresses of a redirection",
        "gateway.sip.dialog.refusals:_MAX_CONTACTS",
        "addresses",
        "call",
        "the others are passed over",
        f"{_BOUNDS}::test_a_redirection_to_more_addresses_than_are_read_names_the_first",
    ),
    Limit(
        "parts of a body that are looked at for a session description",
        "gateway.sip.syntax.body:MAX_PARTS",
        "parts",
        "call",
        "the others are passed over",
        f"{_TESTS}/syntax/test_bodies.py::test_so_many_parts_are_looked_at",
    ),
    Limit(
        "multiparts within multiparts",
        "gateway.sip.syntax.body:_MAX_DEPTH",
        "deep",
        "call",
        "what is deeper is passed over",
        f"{_TESTS}/syntax/test_bodies.py::test_multiparts_are_opened_to_a_depth",
    ),
    Limit(
        "shortest session interval, so the most refreshes that a far end can ask for",
        "gateway.sip.dialog.session_timer:MIN_SE",
        "s",
        "call",
        "422 with Min-SE",
        f"{_TESTS}/dialog/test_session_timer.py"
        "::test_an_interval_that_is_too_short_is_asked_for_again_longer",
    ),
    Limit(
        "longest session interval",
        "gateway.sip.dialog.session_timer:_MAX_SE",
        "s",
        "call",
        "it is cut",
        f"{_BOUNDS}::test_a_session_interval_longer_than_a_day_is_cut_to_one",
    ),
    Limit(
        "challenges that one request answers",
        "gateway.sip.exchange:MAX_CHALLENGES",
        "challenges",
        "trunk",
        "the request fails, with the reason",
        f"{_TESTS}/digest/test_authoriser.py"
        "::test_a_far_end_that_asks_for_ever_new_credentials_is_given_up",
    ),
    Limit(
        "interval that a registrar can make us ask for (423)",
        "gateway.sip.registration:_MAX_EXPIRES",
        "s",
        "trunk",
        "the registration fails, and is tried again later",
        f"{_TESTS}/test_registration.py::test_a_423_that_helps_nobody_is_a_failure",
    ),
    Limit(
        "TCP and TLS connections for SIP, of either direction",
        "gateway.sip.network.endpoint:MAX_CONNECTIONS",
        "connections",
        "process",
        "closed at once",
        f"{_CONNECTIONS}::test_connections_beyond_the_bound_are_closed_at_once",
    ),
    Limit(
        "connections for SIP that others have opened",
        "gateway.sip.network.endpoint:MAX_INCOMING",
        "connections",
        "process",
        "closed at once; the rest is for those to carriers",
        f"{_TESTS}/test_endpoint.py::test_strangers_cannot_take_all_connections",
    ),
    Limit(
        "connections for SIP that one address has opened",
        "gateway.sip.network.endpoint:MAX_OF_ADDRESS",
        "connections",
        "source address",
        "closed at once",
        f"{_TESTS}/test_endpoint.py::test_strangers_cannot_take_all_connections",
    ),
    Limit(
        "times that a call is dialled again with a longer session interval",
        "gateway.sip.dialog.outbound:_MAX_LONGER",
        "times",
        "call",
        "the call fails with the last 422",
        f"{_TESTS}/dialog/test_hostile_far_end.py::"
        "test_a_far_end_that_always_wants_longer_sessions_is_given_up",
    ),
    Limit(
        "times in a row that a registrar is asked for longer",
        "gateway.sip.registration:_MAX_LONGER",
        "times",
        "trunk",
        "the registration fails, and is tried again later",
        f"{_TESTS}/test_registration.py::test_a_registrar_that_always_wants_longer_is_given_up",
    ),
    Limit(
        "time from a connection that somebody opened for SIP to its first message",
        "gateway.sip.network.connection:SPEAKS_WITHIN",
        "s",
        "socket",
        "it is closed",
        f"{_TESTS}/test_endpoint.py::test_a_stranger_who_says_nothing_is_cut_off",
    ),
    Limit(
        "bytes that wait for a peer that does not read",
        "gateway.sip.network.connection:MAX_UNSENT",
        "bytes",
        "socket",
        "the connection is closed",
        f"{_CONNECTIONS}::test_a_peer_that_does_not_read_loses_its_connection",
    ),
    Limit(
        "silence of a connection that somebody opened for SIP",
        "gateway.sip.network.connection:SILENT_FOR",
        "s",
        "socket",
        "it is closed",
        f"{_CONNECTIONS}::test_a_connection_that_is_silent_for_too_long_is_closed",
    ),
)
