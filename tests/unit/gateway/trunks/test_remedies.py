"""Tests of the sentences for owners, and of the pauses before the next attempt."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.sip.digest.client import DigestClient, NoUsableChallenge, Refused
from gateway.trunks.remedies import (
    MAX_DETAIL,
    NO_SIP,
    private_host,
    remedy,
    retry_after_s,
    unresolved_host,
    unusable,
)
from gateway.trunks.trunk import Trunk
from tests.unit.gateway.control_server import settings

TRUNK = Trunk.from_json(settings(realm="realm.example"))
CREDENTIALS = [401, 403, 404, 407]
PASSING = [None, 408, 480, 500, 502, 503, 504, 513]
REFUSALS = [301, 400, 405, 420, 423, 429, 482, 483, 600, 603, 606]


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (401, "Unauthorized", ["username alice", "password", "realm", "401 Unauthorized"]),
        (407, "", ["username alice", "(407)"]),
        (403, "Forbidden", ["username and password", "blocked", "known addresses"]),
        (404, "Not Found", ["alice@realm.example", "realm", "username"]),
        (408, "Request Timeout", ["host, port and transport", "firewall", "5060 over UDP"]),
        (None, "Connection timed out [110]", ["No answer", "firewall"]),
        (None, "", ["No answer"]),
        (None, "Connection refused [111]", ["port and transport"]),
        (477, "Unfortunately error on sending to next hop", ["port and transport"]),
        (None, "TLS handshake failed", ["TLS", "5061"]),
        (None, "certificate verify failed", ["certificate", "name"]),
        (478, "Unresolvable destination", ["has no address", "spelling"]),
        (423, "Interval Too Brief", ["GATEWAY_SIP_REGISTER_INTERVAL"]),
        (503, "Service Unavailable", ["trouble of its own", "by itself within a minute"]),
        (482, "Loop Detected", ["circles"]),
        (483, "Too Many Hops", ["circles"]),
        (400, "Bad Request", ["turned the registration down", "400 Bad Request"]),
        (606, "Not Acceptable", ["turned the registration down"]),
    ],
)
def test_a_failure_comes_with_its_remedy(code, reason, words):
    sentence = remedy("failed", code, reason, TRUNK)
    assert all(word in sentence for word in words), sentence
    assert "sip.carrier.example" in sentence


def test_a_reason_that_ends_with_a_full_stop_is_quoted_without_it():
    assert "(403 Forbidden): check" in remedy("failed", 403, "Forbidden.", TRUNK)
    assert "(it restarts):" in remedy("registering", None, "it restarts.", TRUNK)


def test_the_remedy_names_the_realm_only_if_one_is_set():
    trunk = dataclasses.replace(TRUNK, realm=None)
    assert "realm" not in remedy("failed", 401, "", trunk)


def test_every_other_status_has_a_sentence():
    assert remedy("registered", 200, "OK", TRUNK) == "Registered with sip.carrier.example as alice."
    sentence = remedy("registering", None, "the SIP stack restarts", TRUNK)
    assert "(the SIP stack restarts)" in sentence
    assert remedy("failed", None, NO_SIP, TRUNK) == NO_SIP.replace("this", "This") + "."
    assert "public" in private_host(TRUNK)
    assert "spelling" in unresolved_host(TRUNK)
    assert "its port is" in unusable("its port is not one from 1 to 65535")


BY_ADDRESS = Trunk.from_json(
    settings(auth="ip", username=None, password=None, networks=["8.8.8.8"], port=None)
)


def test_a_trunk_by_address_has_sentences_of_its_own():
    assert remedy("ready", 200, "OK", BY_ADDRESS) == (
        "sip.carrier.example answers (200 OK): calls can come and go."
    )
    assert "Waiting for an answer of sip.carrier.example" in remedy(
        "registering", None, "", BY_ADDRESS
    )
    silence = remedy("failed", None, "no answer", BY_ADDRESS)
    assert "No answer from sip.carrier.example, the port that DNS names, over UDP" in silence
    assert "address on its list" in silence
    for kind in ("Connection refused", "certificate: bad", "TLS handshake failed", "no such host"):
        assert "None" not in remedy("failed", None, kind, BY_ADDRESS)


def test_a_failure_to_reach_a_proxy_names_the_proxy():
    behind = Trunk.from_json(settings(outbound_proxy="proxy.example:5070"))
    sentence = remedy("failed", None, "no answer", behind)
    assert "No answer from proxy.example, port 5070 over UDP" in sentence
    assert "sip.carrier.example" in remedy("failed", 403, "Forbidden", behind)


def test_a_password_in_the_carriers_reason_is_removed():
    assert "hush-hush" not in remedy("failed", 401, "bad password hush-hush", TRUNK)


@given(
    st.sampled_from(["registering", "registered", "failed"]),
    st.none() | st.integers(100, 699),
    st.text(),
)
def test_any_outcome_is_one_short_line(status, code, reason):
    long = dataclasses.replace(TRUNK, host="h" * 253, username="u" * 64, realm="r" * 128)
    for trunk in (TRUNK, long):
        sentence = remedy(status, code, reason, trunk)
        assert sentence.isprintable()
        assert sentence.endswith(".")
        assert len(sentence) <= MAX_DETAIL
        assert "hush-hush" not in sentence


@given(st.text(min_size=1, alphabet=st.characters(categories=["L", "N"])), st.text())
def test_no_carriers_reason_makes_the_password_visible(password, around):
    assume(password not in remedy("failed", 400, "", TRUNK))
    trunk = dataclasses.replace(TRUNK, password=password)
    assert password not in remedy("failed", 400, f"{around}{password}", trunk)


@given(st.integers(1, 10**9), st.sampled_from(PASSING), st.floats(0, 1))
def test_temporary_failures_are_retried_within_a_minute(failures, code, random):
    after = retry_after_s(failures, code, random)
    assert 1.5 <= after <= 75
    assert after <= retry_after_s(failures + 1, code, random)


@given(st.integers(1, 10**9), st.sampled_from(CREDENTIALS + REFUSALS), st.floats(0, 1))
def test_refused_registrations_are_retried_seldom(failures, code, random):
    after = retry_after_s(failures, code, random)
    assert 45 <= after <= 1800 * 1.25
    assert after <= retry_after_s(failures + 1, code, random)


@given(st.integers(-5, 10**9), st.none() | st.integers(100, 699), st.floats(0, 1))
def test_retry_pauses_are_spread_by_a_quarter(failures, code, random):
    middle = retry_after_s(failures, code, 0.5)
    assert retry_after_s(failures, code, random) == pytest.approx(middle * (0.75 + 0.5 * random))


def test_retry_pauses_double_up_to_their_maximum():
    assert [retry_after_s(n, 403, 0.5) for n in (1, 2, 3, 6)] == [60, 120, 240, 1800]
    assert [retry_after_s(n, None, 0.5) for n in (1, 2, 3, 6)] == [2, 4, 8, 60]


@pytest.mark.parametrize("asked", ["AKAv1-MD5", "Basic"])
def test_a_challenge_that_is_not_understood_is_called_that(asked: str) -> None:
    client = DigestClient("alice", "secret", bytes)
    challenge = (
        'Basic realm="r"' if asked == "Basic" else f'Digest realm="r", nonce="n", algorithm={asked}'
    )
    with pytest.raises(NoUsableChallenge) as raised:
        client.challenged([challenge])
    words = remedy("failed", 401, str(raised.value), TRUNK)
    assert asked in words
    assert "ask your carrier" in words
    assert "does not accept the username" not in words
    assert "firewall" not in words


def test_a_refused_password_is_told_once() -> None:
    challenge = 'Digest realm="r", nonce="n"'
    client = DigestClient(TRUNK.username, "wrong", bytes)
    client.challenged([challenge])
    [(_, sent)] = client.authorise("REGISTER", "sip:r")
    with pytest.raises(Refused) as raised:
        client.challenged([challenge], sent=[sent])
    words = remedy("failed", 401, str(raised.value), TRUNK)
    assert words.count("does not accept") == 1
    assert "(401)" in words
