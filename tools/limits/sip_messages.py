"""Limits of SIP messages, and of the requests of others that are held."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/sip"
_MESSAGES = f"{_TESTS}/syntax/test_messages.py"
_BODIES = f"{_TESTS}/syntax/test_bodies.py"
_CHECKS = f"{_TESTS}/syntax/test_checks.py"

SIP_MESSAGE_LIMITS: tuple[Limit, ...] = (
    Limit(
        "a SIP message",
        "gateway.sip.syntax.message:MAX_MESSAGE",
        "bytes",
        "source address",
        "it is dropped; a connection is closed",
        f"{_MESSAGES}::test_a_message_has_a_size",
    ),
    Limit(
        "header fields of a SIP message",
        "gateway.sip.syntax.message:MAX_FIELDS",
        "fields",
        "source address",
        "it is dropped; a connection is closed",
        f"{_MESSAGES}::test_a_message_has_at_most_so_many_fields",
    ),
    Limit(
        "proxies that a SIP request has passed",
        "gateway.sip.syntax.checks:MAX_VIAS",
        "Vias",
        "source address",
        "400, with the reason",
        f"{_CHECKS}::test_a_request_has_passed_at_most_so_many_proxies",
    ),
    Limit(
        "a Call-ID",
        "gateway.sip.syntax.checks:_MAX_CALL_ID",
        "characters",
        "source address",
        "400, with the reason",
        f"{_CHECKS}::test_a_malformed_field_is_refused_by_name",
    ),
    Limit(
        "parts of a body that are looked at",
        "gateway.sip.syntax.body:MAX_PARTS",
        "parts",
        "call",
        "the others are passed over",
        f"{_BODIES}::test_so_many_parts_are_looked_at",
    ),
    Limit(
        "bodies within bodies",
        "gateway.sip.syntax.body:_MAX_DEPTH",
        "levels",
        "call",
        "those further in are passed over",
        f"{_BODIES}::test_multiparts_are_opened_to_a_depth",
    ),
    Limit(
        "SIP requests of others that are held, each for at most 32 s once it is answered",
        "gateway.sip.transaction.layer:MAX_SERVERS",
        "requests",
        "process",
        "503 with Retry-After, and nothing is held",
        f"{_TESTS}/transaction/test_layer.py"
        "::test_beyond_the_bound_requests_are_answered_503_and_not_held",
    ),
)
