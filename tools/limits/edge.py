"""Limits of the edge."""

from __future__ import annotations

from tools.limits.limit import Limit

_SETTINGS = "gateway.edge.settings:Settings"
_RATES = "tests/sip/edge/test_rates.py"
_LINES = "tests/sip/edge/test_lines.py"
_FILTERS = "tests/sip/edge/test_filters.py"
_CONNECTIONS = "tests/sip/edge/test_connections.py"

LIMITS: tuple[Limit, ...] = (
    Limit(
        resource="SIP requests of a stranger",
        constant=f"{_SETTINGS}.requests_per_s",
        unit="a second, over five seconds",
        owner="source address",
        beyond="the address is banned for `EDGE_BAN_S`",
        test=f"{_RATES}::test_a_flood_bans_its_source_only",
        setting="EDGE_REQUESTS_PER_S",
    ),
    Limit(
        resource="SIP requests of strangers",
        constant=f"{_SETTINGS}.strangers_per_s",
        unit="a second",
        owner="installation",
        beyond="dropped, neither counted nor logged",
        test=f"{_RATES}::test_requests_of_strangers_are_bounded_over_all_addresses",
        setting="EDGE_STRANGERS_PER_S",
    ),
    Limit(
        resource="New calls of one trunk",
        constant=f"{_SETTINGS}.invites_per_trunk_s",
        unit="a second",
        owner="trunk",
        beyond="503 with Retry-After; nothing is taken from other trunks",
        test=f"{_LINES}::test_a_flood_on_one_trunk_does_not_use_another_trunk_s_budget",
        setting="EDGE_INVITES_PER_TRUNK_S",
    ),
    Limit(
        resource="New calls of one address that is not the trunk's registrar",
        constant=f"{_SETTINGS}.invites_per_source_s",
        unit="a second",
        owner="source address",
        beyond="503 with Retry-After",
        test="tests/sip/test_edge_limits.py::test_one_source_cannot_use_up_the_limit_of_all_sources",
        setting="EDGE_INVITES_PER_SOURCE_S",
    ),
    Limit(
        resource="New calls of all trunks",
        constant=f"{_SETTINGS}.invites_per_s",
        unit="a second",
        owner="installation",
        beyond="503 with Retry-After",
        test=f"{_RATES}::test_calls_a_second_of_all_trunks_are_bounded",
        setting="EDGE_INVITES_PER_S",
    ),
    Limit(
        resource="New calls of peers for no trunk",
        constant=f"{_SETTINGS}.invites_without_trunk_s",
        unit="a second",
        owner="installation",
        beyond="503 with Retry-After; nothing is taken from trunks",
        test=f"{_LINES}::test_calls_without_a_trunk_do_not_use_the_budget_of_trunks",
        setting="EDGE_INVITES_WITHOUT_TRUNK_S",
    ),
    Limit(
        resource="Time that a registrar is a peer",
        constant=f"{_SETTINGS}.line_grace_s",
        unit="s more than the gateway asked for, whatever it grants",
        owner="trunk",
        beyond="its calls are a stranger's",
        test=f"{_LINES}::test_a_registrar_stops_being_a_peer_when_the_line_expires",
        setting="EDGE_LINE_GRACE_S",
    ),
    Limit(
        resource="TCP and TLS connections of one other address",
        constant=f"{_SETTINGS}.connections_per_source",
        unit="",
        owner="source address",
        beyond="the newest are closed",
        test=f"{_CONNECTIONS}::test_connections_of_one_address_are_bounded",
        setting="EDGE_CONNECTIONS_PER_SOURCE",
    ),
    Limit(
        resource="TCP and TLS connections of one address in `EDGE_PEERS`",
        constant="gateway.edge.connections:MOST_OF_A_PEER",
        unit="",
        owner="source address",
        beyond="the newest are closed",
        test=f"{_CONNECTIONS}::test_a_peer_has_its_own_bound_of_connections",
    ),
    Limit(
        resource="TCP and TLS connections that came to us",
        constant="gateway.edge.connections:MOST",
        unit="",
        owner="installation",
        beyond="the oldest of strangers are closed",
        test=f"{_CONNECTIONS}::test_too_many_connections_in_all_close_the_oldest",
    ),
    Limit(
        resource="Life of a stranger's connection, trickling or not",
        constant=f"{_SETTINGS}.stranger_connection_s",
        unit="s",
        owner="socket",
        beyond="closed",
        test=f"{_CONNECTIONS}::test_a_stranger_that_trickles_a_message_is_closed_and_a_call_is_not",
        setting="EDGE_STRANGER_CONNECTION_S",
    ),
    Limit(
        resource="Silence of a stranger's connection",
        constant="gateway.edge.render:STRANGERS_SILENCE_S",
        unit="s",
        owner="socket",
        beyond="closed",
        test=f"{_CONNECTIONS}::test_a_stranger_that_trickles_a_message_is_closed_and_a_call_is_not",
    ),
    Limit(
        resource="Answers that wait for a peer that does not read",
        constant="gateway.edge.render:UNREAD",
        unit="bytes",
        owner="socket",
        beyond="closed",
        test=f"{_CONNECTIONS}::test_a_peer_that_never_reads_is_closed",
    ),
    Limit(
        resource="A SIP message",
        constant="gateway.edge.render:LONGEST",
        unit="bytes",
        owner="socket",
        beyond="dropped; a connection with an endless one is closed",
        test=f"{_CONNECTIONS}::test_a_message_that_never_ends_is_cut_off",
    ),
    Limit(
        resource="A session description",
        constant="6,000 bytes",
        unit="",
        owner="call",
        beyond="488",
        test=f"{_FILTERS}::test_a_malformed_session_description_is_refused",
    ),
    Limit(
        resource="Log lines about what strangers sent",
        constant="gateway.edge.render:NOTED_PER_S",
        unit="new addresses a second, each a line a minute",
        owner="installation",
        beyond="neither logged nor counted; one line says so",
        test=f"{_LINES}::test_log_lines_of_forged_sources_are_bounded",
    ),
    Limit(
        resource="Log lines about connections that are neither SIP nor TLS",
        constant="none",
        unit="",
        owner="socket",
        beyond="seen at `EDGE_LOG_LEVEL=DEBUG` only",
        test=f"{_CONNECTIONS}::test_data_that_is_neither_sip_nor_tls_is_not_logged",
    ),
)
