"""Tests of Digest authentication: sums as published, challenges as servers send them, and whether a
second 401 means a new nonce or a wrong password.
"""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.digest import client as digest
from gateway.sip.digest.answer import Account, DigestChallenge, Request, authorization, response
from gateway.sip.digest.challenge import challenges, unescaped
from gateway.sip.digest.client import DigestClient, NoUsableChallenge, Refused

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MUFASA = Account("Mufasa", "Circle of Life")
PAGE = Request("GET", "/dir/index.html")


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_sums_are_those_of_rfc_7616_3_9_1(sums, expected):
    challenge = DigestChallenge("http-auth@example.org", NONCE, sums, qop="auth")
    assert response(challenge, MUFASA, PAGE, CNONCE, 1) == expected


def test_sums_and_hidden_names_are_those_of_rfc_7616_3_9_2_as_corrected_by_erratum_4897():
    challenge = DigestChallenge(
        "api@example.org",
        "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "SHA-512-256",
        algorithm="SHA-512-256",
        qop="auth",
        opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS",
        userhash=True,
    )
    account, request = Account("Jäsøn Doe", "Secret, or not?"), Request("GET", "/doe.json")
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    assert authorization(challenge, account, request, cnonce, 1) == (
        'Digest username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b", '
        'realm="api@example.org", nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        'uri="/doe.json", '
        'response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", '
        f'algorithm=SHA-512-256, cnonce="{cnonce}", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", qop=auth, nc=00000001, '
        "userhash=true"
    )


def test_the_sum_is_that_of_rfc_2617_3_5():
    challenge = DigestChallenge(
        "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", qop="auth"
    )
    account = Account("Mufasa", "Circle Of Life")
    assert response(challenge, account, PAGE, "0a4f113b", 1) == "6629fae49393a05397450978507c4ef1"


def hashed(text, name="md5"):
    return hashlib.new(name, text.encode()).hexdigest()


def verify(value, method, uri, body="", password="secret"):
    """Check an Authorization as a server does, from what stands in it."""
    (credentials,) = challenges(value, limit=100_000)
    given = {name: unescaped(text) for name, text in credentials.parameters.items()}
    algorithm = given.get("algorithm", "MD5").upper()
    name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[
        algorithm.removesuffix("-SESS")
    ]
    ha1 = hashed(f"alice:{given['realm']}:{password}", name)
    if algorithm.endswith("-SESS"):
        ha1 = hashed(f"{ha1}:{given['nonce']}:{given['cnonce']}", name)
    ha2 = f"{method}:{uri}"
    if given.get("qop") == "auth-int":
        ha2 += f":{hashed(body, name)}"
    between = given["nonce"]
    if "qop" in given:
        between += f":{given['nc']}:{given['cnonce']}:{given['qop']}"
    assert given["uri"] == uri
    assert given["response"] == hashed(f"{ha1}:{between}:{hashed(ha2, name)}", name)
    return given


def client(password="secret"):
    turn = itertools.count(1)
    return DigestClient("alice", password, lambda n: next(turn).to_bytes(n))


def asks(nonce="n", realm="c", more='algorithm=MD5, qop="auth"'):
    return f'Digest realm="{realm}", nonce="{nonce}"' + (f", {more}" if more else "")


@pytest.mark.parametrize(
    ("values", "algorithm", "qop"),
    [
        ([asks(more='algorithm=SHA-256, qop="auth"'), asks()], "SHA-256", "auth"),
        ([asks(more='algorithm=SHA-256, qop="auth"')], "SHA-256", "auth"),
        ([asks(more=f"algorithm={a}, qop=auth") for a in ("SHA-512-256", "SHA-256", "MD5")],
         "SHA-512-256", "auth"),
        ([asks(), asks(more="algorithm=SHA-256")], "MD5", "auth"),
        ([asks(more='algorithm=AKAv1-MD5, qop="auth"'), asks()], "MD5", "auth"),
        ([asks(more='algorithm="MD5", qop=auth')], "MD5", "auth"),
        ([asks(more='algorithm=md5, qop="auth"')], "md5", "auth"),
        ([asks(more='algorithm=MD5-sess, qop="auth"')], "MD5-sess", "auth"),
        ([asks(more="algorithm=SHA-512-256-sess, qop=auth-int")], "SHA-512-256-sess", "auth-int"),
        ([asks(more="algorithm=MD5-sess")], "MD5-sess", None),
        ([asks(more='qop="auth,auth-int"')], None, "auth"),
        ([asks(more='qop="auth-int, auth"')], None, "auth"),
        ([asks(more='qop="token, auth-int"')], None, "auth-int"),
        ([asks(more='domain="sip:c",opaque="",stale=FALSE,algorithm=MD5,qop="auth"')],
         "MD5", "auth"),
        ([asks(realm=r"My \"PBX\", Inc.", more="")], None, None),
        ([asks(more='qop=""')], None, None),
        (['digest REALM="c", Nonce="n"'], None, None),
        (['Basic realm="c"', asks()], "MD5", "auth"),
        (['Basic realm="c", ' + asks()], "MD5", "auth"),
        (["???", asks()], "MD5", "auth"),
        ([asks(nonce="n" * 400, more=f'opaque="{"o" * 400}", qop=auth')], None, "auth"),
        ([asks(more="userhash=false, charset=UTF-8")], None, None),
    ],
)  # fmt: skip
def test_the_topmost_challenge_that_is_understood_is_answered(values, algorithm, qop):
    us = client()
    us.challenged(values)
    ((name, value),) = us.authorise("INVITE", "sip:bob@c", b"v=0")
    assert name == "Authorization"
    given = verify(value, "INVITE", "sip:bob@c", "v=0")
    assert (given.get("algorithm"), given.get("qop")) == (algorithm, qop)
    assert given["username"] == "alice"


def test_what_a_challenge_says_is_sent_back_as_it_came():
    us = client()
    us.challenged([r'Digest realm="a\"b", nonce="x\\y\z", opaque="", qop=auth'])
    ((_, value),) = us.authorise("REGISTER", "sip:c")
    assert r'realm="a\"b", nonce="x\\y\z"' in value
    assert 'opaque=""' in value


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([asks(more="algorithm=AKAv1-MD5"), 'Basic realm="c"'], "AKAv1-MD5, Basic;"),
        ([asks(more="qop=token")], "qop=token"),
        (["Digest nonce=1"], "Digest without realm or nonce"),
        (["Digest realm=c"], "Digest without realm or nonce"),
        (['realm="c"'], "unreadable"),
        ([], "credentials without a challenge"),
    ],
)  # fmt: skip
def test_a_server_that_asks_for_nothing_we_speak_is_told_by_name(values, words):
    us = client()
    with pytest.raises(NoUsableChallenge) as info:
        us.challenged(values)
    assert words in str(info.value)
    assert "MD5, SHA-256, SHA-512-256, also with -sess" in str(info.value)
    assert us.authorise("REGISTER", "sip:c") == []


def test_a_nonce_is_used_again_with_a_higher_count():
    us = client()
    us.challenged([asks()])
    signed = [verify(us.authorise("INVITE", "sip:b")[0][1], "INVITE", "sip:b") for _ in range(11)]
    assert [given["nc"] for given in signed][:2] == ["00000001", "00000002"]
    assert signed[10]["nc"] == "0000000b"
    assert len({given["cnonce"] for given in signed}) == 1


def test_a_new_nonce_begins_at_one_with_another_client_nonce():
    us = client()
    us.challenged([asks("n1")])
    first = verify(us.authorise("INVITE", "sip:b")[0][1], "INVITE", "sip:b")
    us.challenged([asks("n2")])
    second = verify(us.authorise("INVITE", "sip:b")[0][1], "INVITE", "sip:b")
    assert (second["nonce"], second["nc"]) == ("n2", "00000001")
    assert first["cnonce"] != second["cnonce"]


def test_each_realm_is_answered_and_proxies_apart_from_servers():
    us = client()
    us.challenged([asks(realm="p1"), asks(realm="p2"), asks(realm="p1", more="")], proxy=True)
    us.challenged([asks(realm="p1")])
    headers = us.authorise("BYE", "sip:b")
    realms = [(name, verify(value, "BYE", "sip:b")["realm"]) for name, value in headers]
    assert realms == [
        ("Proxy-Authorization", "p1"),
        ("Proxy-Authorization", "p2"),
        ("Authorization", "p1"),
    ]


class TestSecondChallenges:
    def signed(self, us):
        return [value for _, value in us.authorise("REGISTER", "sip:c")]

    @pytest.mark.parametrize("more", ["qop=auth", "", "qop=auth, stale=false"])
    def test_after_a_fresh_nonce_it_means_a_wrong_password(self, more):
        us = client("not so")
        us.challenged([asks("n1", more=more)])
        with pytest.raises(Refused) as info:
            us.challenged([asks("n2", more=more)], sent=self.signed(us))
        assert "alice" in str(info.value)
        assert '"c"' in str(info.value)
        assert "not so" not in str(info.value)
        assert self.signed(us) == []

    def test_it_means_so_too_if_the_nonce_stays_the_same(self):
        us = client()
        us.challenged([asks("n1")])
        with pytest.raises(Refused):
            us.challenged([asks("n1")], sent=self.signed(us))

    def test_if_it_says_stale_the_same_password_is_tried_again(self):
        us = client()
        us.challenged([asks("n1")])
        us.challenged([asks("n2", more="qop=auth, stale=true")], sent=self.signed(us))
        assert 'nonce="n2"' in self.signed(us)[0]

    @pytest.mark.parametrize("more", ["qop=auth", ""])
    def test_after_a_nonce_that_had_served_before_it_is_tried_again(self, more):
        us = client()
        us.challenged([asks("n1", more=more)])
        self.signed(us)
        us.challenged([asks("n2", more=more)], sent=self.signed(us))
        with pytest.raises(Refused):
            us.challenged([asks("n3", more=more)], sent=self.signed(us))

    def test_of_two_requests_at_once_the_second_is_tried_with_the_nonce_of_the_first(self):
        us = client()
        us.challenged([asks("n1")])
        for _ in range(3):
            self.signed(us)
        one, two = self.signed(us), self.signed(us)
        us.challenged([asks("n2")], sent=one)
        self.signed(us)
        us.challenged([asks("n3")], sent=two)
        assert 'nonce="n3"' in self.signed(us)[0]

    def test_another_realm_is_answered_beside_the_first(self):
        us = client()
        us.challenged([asks(realm="a")])
        us.challenged([asks(realm="b")], sent=self.signed(us))
        assert len(self.signed(us)) == 2

    def test_nonces_that_are_stale_at_once_are_not_followed_for_ever(self):
        us = client()
        us.challenged([asks("n0")])
        for n in range(digest.MAX_STALE):
            us.challenged([asks(f"s{n}", more="stale=true")], sent=self.signed(us))
        with pytest.raises(Refused, match="stale"):
            us.challenged([asks("last", more="stale=true")], sent=self.signed(us))

    def test_realms_that_never_end_are_not_followed_for_ever(self):
        us = client()
        for n in range(digest.MAX_REALMS):
            us.challenged([asks(realm=f"r{n}")], sent=self.signed(us))
        with pytest.raises(Refused, match="more than 8 realms"):
            us.challenged([asks(realm="one more")], sent=self.signed(us))


def test_of_too_many_realms_the_oldest_is_forgotten():
    us = client()
    for n in range(digest.MAX_REALMS + 1):
        us.challenged([asks(realm=f"r{n}")])
    realms = [verify(value, "BYE", "sip:b")["realm"] for _, value in us.authorise("BYE", "sip:b")]
    assert realms == [f"r{n}" for n in range(1, digest.MAX_REALMS + 1)]


def test_of_too_many_realms_in_one_answer_the_first_are_kept():
    us = client()
    us.challenged([asks(realm=f"r{n}") for n in range(digest.MAX_REALMS + 3)])
    assert len(us.authorise("BYE", "sip:b")) == digest.MAX_REALMS


def test_the_next_nonce_is_taken_from_a_success():
    us = client()
    us.challenged([asks("n1")])
    us.authorise("REGISTER", "sip:c")
    us.informed('qop=auth, rspauth="x", nextnonce="n2"')
    ((_, value),) = us.authorise("REGISTER", "sip:c")
    given = verify(value, "REGISTER", "sip:c")
    assert (given["nonce"], given["nc"]) == ("n2", "00000001")
    # It came without a challenge: if it has run out, the password is not wrong.
    us.challenged([asks("n3")], sent=[value])


def test_a_success_that_names_no_nonce_or_could_mean_several_realms_changes_nothing():
    us = client()
    us.informed('nextnonce="x"')
    us.challenged([asks("n1")])
    for value in ("", "rspauth=1", 'nextnonce="', 'nextnonce=""'):
        us.informed(value)
    us.informed('nextnonce="x"', proxy=True)
    us.challenged([asks("n1", realm="d")])
    us.informed('nextnonce="x"')
    assert all('nonce="n1"' in value for _, value in us.authorise("REGISTER", "sip:c"))


def test_a_password_is_not_shown():
    us = client("hidden thing")
    us.challenged([asks()])
    shown = repr(us) + repr(us.__dict__) + repr(Account("alice", "hidden thing"))
    assert "hidden thing" not in shown


@given(st.lists(st.text(max_size=60) | st.sampled_from([asks(), asks(realm="d", more="")])))
def test_any_challenges_are_answered_or_refused(values):
    us = client()
    sent = []
    for _ in range(3):
        try:
            us.challenged(values, sent=sent)
        except (NoUsableChallenge, Refused):
            return
        sent = [value for _, value in us.authorise("INVITE", "sip:bob@c")]
        for value in sent:
            assert "\r" not in value
            verify(value, "INVITE", "sip:bob@c")
