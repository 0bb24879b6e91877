"""Limits of events and their deliveries."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/services"
_PLACES = f"{_TESTS}/deliveries/test_places.py"
_BROKEN = f"{_TESTS}/deliveries/test_broken_tries.py"
_FAIR = f"{_TESTS}/fan_out/test_fair_fan_out.py"
_BACKLOG = f"{_TESTS}/fan_out/test_backlog.py"
_DIGITS = f"{_TESTS}/test_pressed_keys.py"
_ANSWERS = "tests/unit/providers/test_any_answer.py"

DELIVERY_LIMITS: tuple[Limit, ...] = (
    Limit(
        "events about keys, one after the other",
        "chalicelib.domain.keypad:BURST",
        "events, then one a second",
        "call",
        "the keys wait and are told together with later ones",
        f"{_DIGITS}::test_seventy_reports_a_second_become_one_event_a_second_without_losing_keys",
    ),
    Limit(
        "events about keys in all",
        "chalicelib.domain.keypad:EVENTS_PER_CALL",
        "events",
        "call",
        "the last one says so, a log line, too; later keys are told to nobody",
        f"{_DIGITS}::test_key_events_of_a_call_are_bounded_and_the_last_is_marked",
    ),
    Limit(
        "events about keys",
        "chalicelib.domain.keypad:EVENTS_PER_MINUTE",
        "a minute",
        "account",
        "the keys wait for the next minute; changes of calls are told all the same",
        f"{_DIGITS}::test_key_events_share_an_account_budget_that_does_not_limit_call_events",
        setting="rate_factor",
    ),
    Limit(
        "keys that wait to be told",
        "chalicelib.domain.keypad:MAX_WAITING",
        "keys",
        "call",
        "later ones are counted, logged once and said to be lost in the next event",
        f"{_DIGITS}::test_keys_beyond_the_waiting_limit_are_counted_and_reported_once",
    ),
    Limit(
        "log lines about keys that wait or are lost",
        "2",
        "lines between two events",
        "call",
        "nothing more is logged",
        f"{_DIGITS}::test_keys_beyond_the_waiting_limit_are_counted_and_reported_once",
    ),
    Limit(
        "deliveries made in one batch of the table's stream",
        "chalicelib.services.delivery.fan_out:INLINE",
        "deliveries",
        "account",
        "the rest is left to the account's backlog, which its own tries work off",
        f"{_FAIR}::test_deliveries_of_one_account_in_a_batch_are_bounded",
    ),
    Limit(
        "deliveries that wait for a place, beyond which no more are made at once",
        "chalicelib.services.delivery.fan_out:MAX_WAITING",
        "deliveries",
        "account",
        "what happens now is left to the account's backlog, calls that ring included",
        f"{_BACKLOG}::test_call_ringing_goes_to_the_backlog_if_too_many_deliveries_wait",
    ),
    Limit(
        "time in which a batch of the stream makes deliveries",
        "chalicelib.services.delivery.fan_out:BATCH_MS",
        "ms",
        "installation",
        "the rest is left to the accounts' backlogs",
        f"{_BACKLOG}::test_the_rest_of_a_batch_that_takes_too_long_goes_to_the_backlogs",
    ),
    Limit(
        "tries of deliveries under way",
        "chalicelib.domain.delivery_bounds:TRIES_AT_ONCE",
        "tries, half of them for one endpoint; half as many more for `call.ringing`",
        "account",
        "the delivery waits in the table until a place is free",
        f"{_PLACES}::test_concurrent_tries_of_an_account_are_bounded_by_its_places",
        setting="CHAMADE_TRIES_AT_ONCE",
    ),
    Limit(
        "tries that fail",
        "chalicelib.services.delivery.dispatch:FAILED_TRY_S",
        "s for which each keeps its place, if others wait",
        "account",
        "the deliveries that wait are tried at that pace",
        f"{_PLACES}::test_a_failed_try_keeps_its_place_for_a_second_if_others_wait",
    ),
    Limit(
        "how long deliveries wait for a first try",
        "chalicelib.domain.delivery_bounds:BEHIND_MS",
        "ms",
        "endpoint",
        "new deliveries have failed, `too_many_waiting`, until it has caught up",
        f"{_FAIR}::test_an_endpoint_too_far_behind_gets_no_more_deliveries_and_the_others_do",
    ),
    Limit(
        "deliveries that wait for another try",
        "chalicelib.domain.delivery_bounds:MAX_WAITING",
        "deliveries",
        "endpoint",
        "what fails is not tried again, `too_many_waiting`",
        f"{_BROKEN}::test_pending_deliveries_of_an_endpoint_are_bounded",
        setting="rate_factor",
    ),
    Limit(
        "executions that a delivery may lose without a try that ends",
        "chalicelib.domain.delivery_bounds:MAX_REVIVALS",
        "executions",
        "endpoint",
        "the delivery has failed, `internal`",
        f"{_BROKEN}::test_a_delivery_whose_executions_are_lost_repeatedly_fails",
    ),
    Limit(
        "lost deliveries that one run of the sweep sends anew",
        "chalicelib.services.delivery.delivery_tries:REVIVED_AT_ONCE",
        "deliveries",
        "account",
        "the next run sends the rest",
        f"{_BROKEN}::test_a_sweep_revives_a_bounded_number_of_deliveries_of_each_account",
    ),
    Limit(
        "events that the sweep looks through before it is another account's turn",
        "chalicelib.services.delivery.backlog:PAGE",
        "events",
        "account",
        "the others have their turn; when half of the sweep's time is up, the next run goes on",
        f"{_FAIR}::test_the_sweep_reads_one_page_of_each_account_in_turn",
    ),
    Limit(
        "webhook endpoints",
        "chalicelib.domain.endpoint:MAX_ENDPOINTS",
        "endpoints",
        "account",
        "409 `too_many_endpoints`",
        "tests/unit/handlers/test_endpoints.py::test_an_eleventh_endpoint_is_refused",
    ),
    Limit(
        "time of one try, from the name servers to the last byte",
        "chalicelib.providers.outgoing_http:TIMEOUT_S",
        "s",
        "endpoint",
        "the try has failed, `timeout`",
        "tests/unit/providers/test_outgoing_http.py::test_one_deadline_covers_the_whole_request",
    ),
    Limit(
        "bytes of an endpoint's answer that are read",
        "chalicelib.providers.outgoing_http:MAX_ANSWER",
        "bytes",
        "endpoint",
        "the rest is not read",
        "tests/unit/providers/test_outgoing_http.py::"
        "test_only_the_beginning_of_an_endless_answer_is_read",
    ),
    Limit(
        "bytes taken off a connection to an endpoint: headers, interim answers, sizes of chunks",
        "chalicelib.providers.outgoing_http:MAX_RECEIVED",
        "bytes",
        "endpoint",
        "the try has failed, `bad_answer`",
        f"{_ANSWERS}::test_only_a_bounded_part_of_an_answer_is_read",
    ),
    Limit(
        "characters of an endpoint's answer that are kept of a try",
        "chalicelib.domain.delivery:SHOWN_CHARACTERS",
        "characters",
        "endpoint",
        "the rest is dropped",
        f"{_BROKEN}::test_the_largest_answer_is_kept_short",
    ),
)
