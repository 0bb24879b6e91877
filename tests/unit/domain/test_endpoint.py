"""Tests of endpoints: URLs, events, failures."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.domain.endpoint import (
    FAILING_MS,
    DisabledReason,
    EndpointChanges,
    NewEndpoint,
    PlainHttp,
    PrivateUrl,
    apply_changes,
    check_reachable,
    disable,
    failed_for_too_long,
    matches,
    new_endpoint,
    public_view,
    wants,
)
from chalicelib.domain.event import Event, EventType

NOW = 1_790_000_000_000


def endpoint(**fields):
    return new_endpoint(NewEndpoint(**{"url": "https://a.example/x", **fields}), "acc_1", NOW)


def event(event_type=EventType.CALL_RINGING, at=NOW):
    return Event(event_id="evt_1", type=event_type, account_id="acc_1", at=at, data={})


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example", "https://a.example/x?y=z", "https://a.example:443/", "http://a.example",
        "https://a.example:8443/x", "https://[2606:4700::1111]/x", "https://1.1.1.1:1024",
    ],
)  # fmt: skip
def test_valid_urls_are_accepted(url):
    assert NewEndpoint(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "", "a.example/x", "ftp://a.example", "https://", "https:///x", "https://u@a.example",
        "https://u:p@a.example", "https://:p@a.example", "https://a.example/x#y", "https://a.example#",
        "https://a.example:0/", "https://a.example:25/", "https://a.example:22", "https://a.example:99999",
        "https://a.example:x/", "https://a.exa mple/", "https://a.example/ä", "https://ä.example/",
        "https://a.example/\r\nX: y", "https://a.example/x\ny",
        "https://a.example/\\x", "https://a/x y",
        "https://a.example\\@b.example/", "javascript:alert(1)", "https://[::1",
        "https://a.example/" + "x" * 2048,
    ],
)  # fmt: skip
def test_malformed_urls_are_refused(url):
    with pytest.raises(ValidationError):
        NewEndpoint(url=url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]",
        "localhost",
        "printer", "x.local", "metadata.internal", "168.63.129.16",
    ],
)  # fmt: skip
def test_private_hosts_need_the_operators_permission(host):
    with pytest.raises(PrivateUrl):
        check_reachable(f"https://{host}/x", private=False)
    check_reachable(f"http://{host}/x", private=True)


def test_plain_http_needs_the_operators_permission():
    with pytest.raises(PlainHttp):
        check_reachable("http://a.example/", private=False)
    check_reachable("https://a.example/", private=False)


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (("*",), {"call.ringing", "trunk.failed"}),
        (("call.*",), {"call.ringing"}),
        (("call.ringing", "number.*"), {"call.ringing"}),
        (("trunk.failed",), {"trunk.failed"}),
        (("call.missed",), set()),
    ],
)
def test_patterns_select_event_types(patterns, wanted):
    NewEndpoint(url="https://a.example", events=patterns)
    assert {t for t in ("call.ringing", "trunk.failed") if matches(patterns, t)} == wanted


@pytest.mark.parametrize(
    "patterns", [[], ["call"], ["calls.*"], ["call.*ing"], [""], ["*.ringing"]]
)
def test_a_pattern_that_selects_nothing_is_an_error(patterns):
    with pytest.raises(ValidationError):
        NewEndpoint(url="https://a.example", events=patterns)


def test_an_endpoint_wants_events_from_the_time_it_is_enabled():
    made = endpoint(events=["call.*"])
    assert wants(made, event())
    assert not wants(made, event(at=NOW - 1))
    assert not wants(made, event(EventType.TRUNK_FAILED))
    off = apply_changes(made, EndpointChanges(enabled=False), NOW + 1)
    assert (off.enabled, off.disabled_reason) == (False, DisabledReason.OWNER)
    assert not wants(off, event(at=NOW + 2))
    on = apply_changes(off, EndpointChanges(enabled=True), NOW + 10)
    assert (on.enabled, on.disabled_reason) == (True, None)
    assert not wants(on, event(at=NOW + 5))
    assert wants(on, event(at=NOW + 10))


def test_a_change_keeps_the_fields_not_given():
    made = endpoint(events=["call.*"], label="A")
    after = apply_changes(made, EndpointChanges(label="B"), NOW + 5)
    assert after == made.model_copy(update={"label": "B", "updated_at": NOW + 5})


def test_a_new_url_or_enabling_resets_the_failures():
    failing = endpoint().model_copy(update={"failing_since": NOW})
    assert apply_changes(failing, EndpointChanges(label="x"), NOW + 1).failing_since == NOW
    assert (
        apply_changes(failing, EndpointChanges(url="https://b.example"), NOW + 1).failing_since
        is None
    )
    gone = disable(failing, DisabledReason.GONE, NOW + 1)
    assert apply_changes(gone, EndpointChanges(enabled=True), NOW + 2).failing_since is None


def test_five_days_of_failures_disable_an_endpoint():
    failing = endpoint().model_copy(update={"failing_since": NOW})
    assert not failed_for_too_long(endpoint(), NOW + FAILING_MS)
    assert not failed_for_too_long(failing, NOW + FAILING_MS - 1)
    assert failed_for_too_long(failing, NOW + FAILING_MS)


def test_the_public_view_has_no_account_and_no_internal_times():
    assert set(public_view(endpoint())) == {
        "endpoint_id", "url", "events", "label", "enabled", "disabled_reason", "failing_since",
        "previous_secret_until", "created_at", "updated_at",
    }  # fmt: skip
