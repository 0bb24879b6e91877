"""Limits of what SIP peers describe, ask for and have in DNS."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/sip"
_BEYOND_SDP = f"{_TESTS}/session/test_sdp.py::test_a_description_beyond_a_limit_is_refused"
_BEYOND_HEADER = f"{_TESTS}/digest/test_challenge.py::test_a_header_beyond_a_limit_is_refused"
_UNREAD = "the header is passed over; with no other the request fails, with the reason"

SIP_PEER_LIMITS: tuple[Limit, ...] = (
    Limit(
        "a session description",
        "gateway.sip.session.sdp:MAX_BYTES",
        "bytes",
        "call",
        "it is refused, with the reason",
        f"{_TESTS}/session/test_sdp.py::test_a_description_of_too_many_bytes_is_refused",
    ),
    Limit(
        "lines of a session description",
        "gateway.sip.session.sdp:MAX_LINES",
        "lines",
        "call",
        "it is refused, with the reason",
        _BEYOND_SDP,
    ),
    Limit(
        "a line of a session description",
        "gateway.sip.session.sdp:MAX_LINE",
        "characters",
        "call",
        "it is refused, with the reason",
        _BEYOND_SDP,
    ),
    Limit(
        "streams of a session description, each repeated in the answer",
        "gateway.sip.session.sdp:MAX_MEDIA",
        "m= lines",
        "call",
        "it is refused, with the reason",
        _BEYOND_SDP,
    ),
    Limit(
        "formats of a stream",
        "gateway.sip.session.sdp:MAX_FORMATS",
        "formats",
        "call",
        "the description is refused, with the reason",
        _BEYOND_SDP,
    ),
    Limit(
        "keys that are looked at in a stream",
        "gateway.sip.session.sdes:MAX_CRYPTO",
        "a=crypto lines",
        "call",
        "the others are passed over",
        f"{_TESTS}/session/test_sdes.py::test_no_more_lines_are_looked_at_than_the_limit",
    ),
    Limit(
        "a challenge to authenticate",
        "gateway.sip.digest.challenge:MAX_HEADER",
        "characters",
        "trunk",
        _UNREAD,
        _BEYOND_HEADER,
    ),
    Limit(
        "challenges in a header",
        "gateway.sip.digest.challenge:MAX_CHALLENGES",
        "challenges",
        "trunk",
        _UNREAD,
        _BEYOND_HEADER,
    ),
    Limit(
        "parameters of a challenge",
        "gateway.sip.digest.challenge:MAX_PARAMETERS",
        "parameters",
        "trunk",
        _UNREAD,
        _BEYOND_HEADER,
    ),
    Limit(
        "realms that are kept, each with a nonce",
        "gateway.sip.digest.client:MAX_REALMS",
        "realms",
        "trunk",
        "the oldest is forgotten; a request that is challenged for more fails",
        f"{_TESTS}/digest/test_digest.py::test_of_too_many_realms_the_oldest_is_forgotten",
    ),
    Limit(
        "nonces in a row that are stale as soon as they are used",
        "gateway.sip.digest.client:MAX_STALE",
        "nonces",
        "trunk",
        "the request fails, with the reason",
        f"{_TESTS}/digest/test_digest.py::test_nonces_that_are_stale_at_once_are_not_followed_for_ever",
    ),
    Limit(
        "NAPTR records that are followed",
        "gateway.sip.network.locate:MAX_SERVICES",
        "records",
        "trunk",
        "those behind them are passed over",
        f"{_TESTS}/test_locate.py::test_no_more_services_are_followed_than_the_limit",
    ),
    Limit(
        "SRV records that are followed",
        "gateway.sip.network.locate:MAX_HOPS",
        "records",
        "trunk",
        "those behind them are passed over",
        f"{_TESTS}/test_resolve.py::test_targets_and_servers_have_a_limit",
    ),
    Limit(
        "addresses that a host leads to",
        "gateway.sip.network.resolve:MAX_TARGETS",
        "addresses",
        "trunk",
        "those behind them are passed over",
        f"{_TESTS}/test_resolve.py::test_targets_and_servers_have_a_limit",
    ),
    Limit(
        "how long a host is looked up",
        "gateway.sip.network.resolve:TIMEOUT",
        "s",
        "trunk",
        "the look-up fails, with what it waited for",
        f"{_TESTS}/test_resolve.py::test_a_search_that_takes_too_long_says_what_it_waited_for",
    ),
    Limit(
        "answers of DNS that are kept",
        "gateway.sip.network.dns_lookup:MAX_CACHED",
        "answers",
        "process",
        "the one that was used longest ago goes",
        f"{_TESTS}/test_dns_lookup.py::test_the_cache_has_a_limit",
    ),
    Limit(
        "time for which DNS is believed that a name has records",
        "gateway.sip.network.dns_lookup:LONGEST",
        "s",
        "process",
        "it is asked again, whatever time the answer gives",
        f"{_TESTS}/test_dns_lookup.py::test_no_answer_is_believed_for_longer_than_its_limit",
    ),
    Limit(
        "time for which DNS is believed that a name has no records",
        "gateway.sip.network.dns_lookup:LONGEST_NONE",
        "s",
        "process",
        "it is asked again, whatever time the answer gives",
        f"{_TESTS}/test_dns_lookup.py::test_no_answer_is_believed_for_longer_than_its_limit",
    ),
)
