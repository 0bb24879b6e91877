"""Tests of who calls, who is called and who forwarded a call, as carriers and PBXs write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.identity import MAX_TEXT, MAX_VALUES, parties_of, party_of
from gateway.sip.syntax.fields import Headers
from gateway.sip.syntax.grammar import quote

MOBILE, OTHER = "+33612345678", "+33999999999"
DID, DESK = "+33187650000", "+33187654321"
NOBODY = "From: <sip:anonymous@anonymous.invalid>"
ACCOUNT = "From: <sip:acct42@carrier.example>"


def parties(*lines, request_uri=""):
    headers = Headers()
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name, value.strip())
    return parties_of(headers, request_uri)


def caller(*lines):
    found = parties(*lines).caller
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ('"Bob" <sip:+33612345678@carrier.example;user=phone>;tag=1', MOBILE),
        ("sip:+33612345678@carrier.example;tag=1", MOBILE),
        ("Bob <sips:+33612345678@carrier.example:5061;transport=tls>", MOBILE),
        ("<sip:+33612345678;cpc=ordinary@carrier.example>", MOBILE),
        ("<sip:+33612345678;npdi;rn=+33600000000@carrier.example>", MOBILE),
        ("<sip:+33612345678:pw@carrier.example>", MOBILE),
        ("<sip:%2B33612345678@carrier.example>", MOBILE),
        ("<sip:+33-6.12-34.56-78@carrier.example>", MOBILE),
        ("<sip:+33%206%2012%2034%2056%2078@carrier.example>", MOBILE),
        ("<sip:+33(0)612345678@carrier.example>", MOBILE),
        ("<sip:06.12.34.56.78@carrier.example>", "0612345678"),
        ("<sip:61-23-45@carrier.example;user=phone>", "612345"),
        ("<sip:61-23-45@carrier.example;user=phone?Reason=x>", "612345"),
        ("<sip:33612345678@carrier.example>", "33612345678"),
        ("<sip:0033612345678@10.0.0.1>", "0033612345678"),
        ("<sip:*31#0612345678@carrier.example>", "*31#0612345678"),
        ("<tel:+33-6-12-34-56-78>", MOBILE),
        ("<tel:+33612345678;phone-context=+44>", MOBILE),
        ("tel:+33612345678;tag=1", MOBILE),
    ],
)
def test_a_number_is_read_in_every_spelling(written, number):
    assert str(party_of(written)) == party_of(written).number == number


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("<tel:612345678;phone-context=+33>", MOBILE),
        ("tel:612345678;phone-context=+33;tag=1", MOBILE),
        ("<sip:612345678;phone-context=+33@carrier.example;user=phone>", MOBILE),
        ("<sip:612345678@carrier.example;user=phone;phone-context=+33>", MOBILE),
        # The zero is dialled in France only, and in Italy it is part of the number.
        ("<tel:0612345678;phone-context=+33>", "tel:0612345678;phone-context=+33"),
        ("<tel:33612345678;phone-context=+33>", "tel:33612345678;phone-context=+33"),
        ("<tel:0033612345678;phone-context=+33>", "0033612345678"),
        ("<tel:112;phone-context=+33>", "tel:112;phone-context=+33"),
        ("<tel:8631234;phone-context=+1-914-555>", "8631234"),
        ("<tel:7042;phone-context=example.com>", "7042"),
    ],
)
def test_a_local_number_is_joined_with_a_country_code_if_that_is_safe(written, text):
    assert str(party_of(written)) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"Alice" <sips:alice@Example.com:5061;transport=tls>', "sips:alice@example.com"),
        ("<sip:carrier.example>", "sip:carrier.example"),
        ("<sip:%61lice:secret@[2001:db8::1]>", "sip:alice@[2001:db8::1]"),
        ("<sip:alice%40home@example.com>", "sip:alice%40home@example.com"),
        ("<sip:12-34@example.com>", "sip:12-34@example.com"),
        ("<sip:+3361234567x@example.com>", "sip:+3361234567x@example.com"),
        ("<tel:A12>", "tel:A12"),
        ("<urn:service:sos>", "urn:service:sos"),
    ],
)
def test_a_party_without_a_number_is_a_bare_uri(written, text):
    assert (str(party_of(written)), party_of(written).number) == (text, "")


@pytest.mark.parametrize("written", ["", "nonsense", "<sip:>", '"Bob', "<sip:a b@c>", "sip:x@y@z"])
def test_what_is_no_address_is_no_party(written):
    assert party_of(written) is None


@pytest.mark.parametrize(
    "spoofed",
    [
        '"sip:+33999999999@x" <sip:+33612345678@carrier.example>',
        '"tel:+33999999999;" <sip:+33612345678@carrier.example>',
        '"<sip:+33999999999@x>" <sip:+33612345678@carrier.example>',
        '"\\"<sip:+33999999999@x>" <sip:+33612345678@carrier.example>',
        '"+33999999999" <sip:+33612345678@carrier.example>',
        '"sip:anonymous@x" <sip:+33612345678@carrier.example>',
        "sip:+33999999999@x <sip:+33612345678@carrier.example>",
        "<sip:+33612345678@carrier.example;x=tel:+33999999999>",
        "<sip:+33612345678@carrier.example;x=sip:+33999999999@x>",
        "<sip:+33612345678@carrier.example?From=sip:+33999999999@x>",
        "<sip:+33612345678@carrier.example>;x=sip:+33999999999@x",
        '<sip:+33612345678@carrier.example>;x="<sip:+33999999999@x>"',
        "<tel:+33612345678;x=tel:+33999999999>",
    ],
)
@pytest.mark.parametrize("name", ["From", "P-Asserted-Identity", "Remote-Party-ID"])
def test_only_the_uri_names_the_caller(name, spoofed):
    others = [] if name == "From" else [ACCOUNT]
    assert caller(f"{name}: {spoofed}", *others) == MOBILE


def test_a_display_name_of_to_or_diversion_is_no_number_either():
    who = parties(
        f'To: "sip:{OTHER}@x" <sip:{DID}@carrier.example>',
        f'Diversion: "tel:{OTHER}" <sip:{DESK}@carrier.example>',
    )
    assert (str(who.called), str(who.forwarder)) == (DID, DESK)


ASSERTED = f"P-Asserted-Identity: <sip:{MOBILE}@carrier.example>"
REMOTE = f"Remote-Party-ID: <sip:{MOBILE}@carrier.example>"


@pytest.mark.parametrize(
    "lines",
    [
        [f"From: <sip:{OTHER}@x>", ASSERTED],
        [ACCOUNT, f"P-Asserted-Identity: <tel:{MOBILE}>, <sip:{MOBILE}@carrier.example>"],
        [ACCOUNT, 'P-Asserted-Identity: "Bob" <sip:bob@x>', ASSERTED],
        [ACCOUNT, f'P-Asserted-Identity: "a, b" <sip:bob@x>, <tel:{MOBILE}>'],
        [ACCOUNT, f"P-Asserted-Identity: nonsense, <tel:{MOBILE}>"],
        [NOBODY, ASSERTED],
        [NOBODY, ASSERTED, "Privacy: none"],
        [f"From: <sip:{OTHER}@x>", ASSERTED, "Privacy: user;header"],
        [NOBODY, "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>", ASSERTED],
        [ACCOUNT, f"{REMOTE};party=calling;privacy=off;screen=yes"],
        [ACCOUNT, REMOTE],
        [f"From: <sip:{OTHER}@x>", f"{REMOTE};party=calling"],
        [ACCOUNT, f"Remote-Party-ID: <sip:{OTHER}@x>;party=called", f"{REMOTE};party=calling"],
        [ACCOUNT, f"{REMOTE};privacy=name"],
        [ACCOUNT, "P-Asserted-Identity: <sip:acct42@x>", REMOTE],
        [ACCOUNT, f"P-Preferred-Identity: <sip:{MOBILE}@carrier.example>"],
        [f"From: <sip:{MOBILE}@x>", f"P-Preferred-Identity: <sip:{OTHER}@x>"],
        [f"From: <sip:{MOBILE}@x>", "Privacy: header"],
    ],
)
def test_the_most_trusted_number_is_the_callers(lines):
    assert caller(*lines) == MOBILE


def test_without_a_number_the_most_trusted_uri_is_the_callers():
    assert caller(ACCOUNT) == "sip:acct42@carrier.example"
    assert caller(f"From: <sip:{OTHER}@x>", "P-Asserted-Identity: <sip:bob@x>") == "sip:bob@x"
    assert caller("From: nonsense", "Remote-Party-ID: <sip:bob@x>") == "sip:bob@x"


@pytest.mark.parametrize(
    "from_",
    [
        '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
        "<sip:Anonymous@Anonymous.Invalid>",
        "<sips:anonymous@anonymous.invalid>",
        "<sip:anonymous@carrier.example>",
        "<sip:%61nonymous;x=1@carrier.example>",
        "<sip:anonymous.invalid>",
        "<sip:c8oqz84zk7z@privacy.anonymous.invalid>",
        f"<sip:{MOBILE}@anonymous.invalid>",
        '"Restricted" <sip:restricted@carrier.example>',
        "<sip:RESTRICTED@carrier.example>",
        "<sip:unknown@unknown.invalid>",
        "<sip:unavailable@unknown.invalid>",
        "<sip:unknown@carrier.example>",
        "nonsense",
    ],
)
def test_a_caller_who_names_nobody_is_anonymous(from_):
    assert parties(f"From: {from_}").anonymous


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [f"From: <sip:{MOBILE}@x>", "Privacy: id"],
        [NOBODY, ASSERTED, "Privacy: id"],
        [NOBODY, ASSERTED, "Privacy: ID;critical"],
        [NOBODY, ASSERTED, "Privacy: header ; user, id"],
        [NOBODY, ASSERTED, "Privacy: user", "Privacy: id"],
        [NOBODY, ASSERTED, "Privacy: none;id"],
        [NOBODY, ASSERTED, "Privacy: full"],
        [f"From: <sip:{MOBILE}@x>", "Privacy: user"],
        [NOBODY, f"{REMOTE};party=calling;privacy=full;screen=yes"],
        [NOBODY, f"{REMOTE};privacy=uri"],
        [NOBODY, f"{REMOTE};privacy=FULL-network"],
        [NOBODY, f'{REMOTE};privacy="name,uri"'],
        [f"From: <sip:{MOBILE}@x>", f"{REMOTE};privacy=full"],
        [NOBODY, ASSERTED, f"{REMOTE};privacy=full"],
        [f"From: <sip:{MOBILE}@x>", "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>"],
        [NOBODY, f"P-Preferred-Identity: <sip:{MOBILE}@x>"],
    ],
)
def test_a_caller_who_hides_is_anonymous(lines):
    who = parties(*lines)
    assert (who.caller, who.anonymous) == (None, True)


def test_words_that_contain_id_hide_nothing():
    assert caller(NOBODY, ASSERTED, "Privacy: identity;hidden") == MOBILE


TO_ACCOUNT = "To: <sip:acct42@carrier.example>"


@pytest.mark.parametrize(
    ("lines", "request_uri"),
    [
        ([f"To: <sip:{DID}@x>"], ""),
        ([f"To: <sip:{DID}@x>"], "sip:acct42-a1b2@gw:5060;transport=tcp"),
        ([f"To: <sip:{OTHER}@x>"], f"sip:{DID};npdi@gw;user=phone"),
        ([TO_ACCOUNT], f"tel:{DID}"),
        ([TO_ACCOUNT, f"P-Called-Party-ID: <sip:{DID}@x>"], f"sip:{OTHER}@gw"),
        ([f"To: <sip:{DID}@x>", "P-Called-Party-ID: <sip:acct42@x>"], ""),
        ([TO_ACCOUNT, f"History-Info: <sip:{DID}@x>;index=1"], "sip:acct42@gw"),
        ([TO_ACCOUNT, f"History-Info: <sip:{DID}@x>;index=1, <sip:acct42@gw>;index=1.1"], ""),
        ([TO_ACCOUNT, f"History-Info: <sip:{DESK}@x>;index=1, <tel:{DID}>;index=1.1"], ""),
    ],
)
def test_the_called_number_is_found(lines, request_uri):
    assert str(parties(*lines, request_uri=request_uri).called) == DID


@pytest.mark.parametrize(
    "lines",
    [
        [f"History-Info: <sip:{DESK}@x?Reason=SIP%3Bcause%3D302>;index=1"],
        [f"History-Info: <sip:{DESK}@x;user=phone?Reason=SIP%3Bcause%3D302>;index=1"],
        [f"History-Info: <sip:{DESK}@x>;index=1;cause=302"],
        [f"History-Info: <sip:{DESK}@x>;index=1", f"Diversion: <sip:{DESK}@x>"],
    ],
)
def test_a_history_of_the_forwarder_alone_does_not_name_the_called_party(lines):
    who = parties(TO_ACCOUNT, *lines)
    assert (str(who.called), str(who.forwarder)) == ("sip:acct42@carrier.example", DESK)


def test_without_a_number_the_called_party_is_a_uri():
    assert str(parties(TO_ACCOUNT).called) == "sip:acct42@carrier.example"
    assert str(parties(TO_ACCOUNT, "P-Called-Party-ID: <sip:bob@x>").called) == "sip:bob@x"
    assert str(parties(request_uri="sip:acct42@gw").called) == "sip:acct42@gw"
    assert parties().called is None


TO = f"To: <sip:{DID}@x>"


@pytest.mark.parametrize(
    "lines",
    [
        [f"Diversion: <sip:{DESK}@x>;reason=no-answer;counter=1"],
        [f'Diversion: "Desk" <tel:{DESK}>;reason=unconditional, <tel:{OTHER}>;reason=no-answer'],
        [f"Diversion: <sip:{DESK}@x>;privacy=off", f"Diversion: <sip:{OTHER}@x>"],
        [f"Diversion: <sip:{DESK}@x>;privacy=name"],
        [f"Diversion: <sip:{DESK}@x>", f"History-Info: <sip:{OTHER}@x>;index=1"],
        [f"History-Info: <sip:{DESK}@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:{DID}@x>;index=1.1"],
        [f"History-Info: <sip:{DESK}@x>;index=1", f"History-Info: <sip:{DID}@x>;index=1.1;mp=1"],
        [f"History-Info: <sip:{DID}@x>;index=1.10, <sip:{DESK}@x>;index=1.9"],
        [f"History-Info: <sip:{OTHER}@x>;index=1, <sip:{DESK}@x>;index=1.1, <sip:g@gw>;index=2"],
        [
            f"History-Info: <sip:{DESK}@x>;index=1, <sip:{DID}@x>;index=1.1",
            "History-Info: <sip:acct42@gw>;index=1.1.1",
        ],
        [f"History-Info: <sip:{DESK}@x>;index=1"],
    ],
)
def test_who_forwarded_the_call_last_is_its_forwarder(lines):
    assert str(parties(TO, *lines).forwarder) == DESK


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [f"Diversion: <sip:{DESK}@x>;reason=no-answer;privacy=full"],
        [f"Diversion: <sip:{DESK}@x>;privacy=uri", f"History-Info: <sip:{DESK}@x>;index=1"],
        ["Diversion: <sip:anonymous@anonymous.invalid>"],
        [f"History-Info: <sip:{DID}@x>;index=1"],
        ["History-Info: <sip:0187650000@x>;index=1"],
        [f"History-Info: <sip:{DESK}@x?Privacy=history>;index=1, <sip:{DID}@x>;index=1.1"],
        [f"History-Info: <sip:{DESK}@x;user=phone?Reason=SIP&Privacy=history>;index=1"],
        [f"History-Info: <sip:{DESK}@x>;index=1", "Privacy: history"],
    ],
)
def test_a_call_that_nobody_forwarded_or_somebody_who_hides_has_no_forwarder(lines):
    assert parties(TO, *lines).forwarder is None


def test_a_history_of_accounts_names_the_one_before_the_last():
    history = "History-Info: <sip:bob@x>;index=1, <sip:alice@x>;index=1.1"
    assert str(parties(TO, history).forwarder) == "sip:bob@x"


def test_values_beyond_the_bound_are_not_read():
    names = ", ".join(["<sip:bob@x>"] * MAX_VALUES)
    assert caller(ACCOUNT, f"P-Asserted-Identity: {names}, <tel:{MOBILE}>") == "sip:bob@x"
    assert len(str(party_of(f"<sip:{'a' * 1000}@x>"))) == MAX_TEXT


NAMES = (
    "From", "To", "P-Asserted-Identity", "P-Called-Party-ID", "P-Preferred-Identity",
    "Remote-Party-ID", "Diversion", "History-Info", "Privacy",
)  # fmt: skip
_TEXT = st.text(st.characters(exclude_characters="\r\n"), max_size=80)
_PIECES = st.lists(
    st.sampled_from(
        ["<", ">", '"', "\\", "sip:", "tel:", "+33612345678", "@", "x.example", ";", "=", "?", ",",
         "%2B", "index", "phone-context", "privacy", "full", " ", ":", "anonymous", "1.2"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(NAMES), _TEXT | _PIECES), max_size=8), _TEXT | _PIECES)
def test_whatever_is_written_gives_short_parties_on_one_line(fields, request_uri):
    who = parties_of(Headers(fields), request_uri)
    for party in (who.caller, who.called, who.forwarder):
        assert party is None or 0 < len(str(party)) <= MAX_TEXT
        assert party is None or str(party).isprintable()


@given(
    st.sampled_from(["{}", "sip:{}@x", "<sip:{}@x>", "tel:{}", "<tel:{}>;", '{}" <sip:{}@x>']),
    _TEXT,
    st.sampled_from(["From", "P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity"]),
)
def test_no_display_name_and_no_parameter_makes_another_caller(form, noise, name):
    spoof = form.replace("{}", OTHER)
    written = f"{quote(noise + spoof)} <sip:{MOBILE}@carrier.example>;x={quote(spoof + noise)}"
    assert caller(f"{name}: {written}") == MOBILE


@given(st.text("abcdefgh0123456789%+:;=&.@", max_size=20), _TEXT)
def test_no_uri_header_makes_another_caller(noise, name):
    uri = f"sip:{MOBILE}@carrier.example?From={noise}sip:{OTHER}@x&{noise}"
    assert caller(f"From: {quote(name)} <{uri}>;tag=1") == MOBILE
