"""Tests that challenges are read by their grammar."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.digest import challenge
from gateway.sip.digest.challenge import (
    BadChallenge,
    Challenge,
    challenges,
    parameters,
    quoted,
    unescaped,
)


def test_a_challenge_has_a_scheme_and_parameters():
    assert challenges('Digest realm="c", nonce="n" ,qop="auth,auth-int",stale=FALSE') == [
        Challenge("Digest", {"realm": "c", "nonce": "n", "qop": "auth,auth-int", "stale": "FALSE"})
    ]


@pytest.mark.parametrize(
    "value",
    [
        'Digest realm="a, b", Basic realm="c", Negotiate, NTLM abc==, Digest realm=d',
        'Digest realm="a, b" , , Basic  realm = "c",Negotiate,NTLM abc== ,Digest Realm=d,',
    ],
)
def test_a_header_may_have_several_challenges(value):
    assert challenges(value) == [
        Challenge("Digest", {"realm": "a, b"}),
        Challenge("Basic", {"realm": "c"}),
        Challenge("Negotiate", {}),
        Challenge("NTLM", {}),
        Challenge("Digest", {"realm": "d"}),
    ]


def test_quotes_may_stand_in_quotes():
    value = r'Digest realm="My \"PBX\", Inc. \\", opaque="", nonce="a=b,c"'
    (read,) = challenges(value)
    assert unescaped(read.parameters["realm"]) == 'My "PBX", Inc. \\'
    assert read.parameters["realm"] == r"My \"PBX\", Inc. \\"
    assert (read.parameters["opaque"], read.parameters["nonce"]) == ("", "a=b,c")


def test_missing_commas_and_blanks_make_no_difference():
    (read,) = challenges('  digest\trealm="c" nonce=x;y qop="auth"  ')
    assert read == Challenge("digest", {"realm": "c", "nonce": "x;y", "qop": "auth"})


def test_the_first_of_two_parameters_with_one_name_counts():
    assert challenges("Digest nonce=1, NONCE=2")[0].parameters == {"nonce": "1"}


def test_a_header_without_a_scheme_is_read_as_parameters():
    assert parameters('nextnonce="n", qop=auth, rspauth="x"')["nextnonce"] == "n"
    with pytest.raises(BadChallenge, match="Digest is no parameter"):
        parameters("Digest nonce=1")


@pytest.mark.parametrize(
    "value",
    ['realm="c"', 'Digest realm="c', 'Digest realm="a\x01"', "Digest @", 'Digest "x"', "ä"],
)
def test_what_is_no_challenge_is_refused(value):
    with pytest.raises(BadChallenge):
        challenges(value)


def test_a_header_beyond_a_limit_is_refused():
    challenges("Digest nonce=" + "n" * (challenge.MAX_HEADER - 13))
    with pytest.raises(BadChallenge, match="longer"):
        challenges("Digest nonce=" + "n" * (challenge.MAX_HEADER - 12))
    with pytest.raises(BadChallenge, match="longer"):
        parameters("n" * (challenge.MAX_HEADER + 1))
    challenges(", ".join(["Basic"] * challenge.MAX_CHALLENGES))
    with pytest.raises(BadChallenge, match="challenges"):
        challenges(", ".join(["Basic"] * (challenge.MAX_CHALLENGES + 1)))
    many = [f"p{n}=1" for n in range(challenge.MAX_PARAMETERS)]
    challenges("Digest " + ", ".join(many))
    with pytest.raises(BadChallenge, match="parameters"):
        challenges("Digest " + ", ".join([*many, "more=1"]))


NAME = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
VALUE = st.text(st.characters(blacklist_categories=["Cc", "Cs"]), max_size=20)


@given(st.lists(st.tuples(NAME, st.dictionaries(NAME, VALUE, min_size=1, max_size=4)), max_size=4))
def test_challenges_that_are_written_are_read_as_the_same(written):
    value = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(text)}" for name, text in given.items())
        for scheme, given in written
    )
    read = challenges(value)
    assert [
        (c.scheme, {name: unescaped(text) for name, text in c.parameters.items()}) for c in read
    ] == written


@given(st.text(max_size=80) | st.text('Digest realm=",\\ \t', max_size=80))
def test_any_text_is_read_or_refused(text):
    for value in (text, f'Digest realm="c", {text}', f'Digest realm="{text}'):
        with contextlib.suppress(BadChallenge):
            challenges(value)
        with contextlib.suppress(BadChallenge):
            parameters(value)
