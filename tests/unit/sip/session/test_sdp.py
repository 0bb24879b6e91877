"""Tests that session descriptions are read as they come, and written so that they can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.session import sdp
from gateway.sip.session.sdp import Attribute, Connection, Media, Origin, SdpError, Session

PLAIN = (
    "v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 49170 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def parse(text):
    return sdp.parse(text.encode())


def test_a_plain_description_is_read_in_full():
    assert parse(PLAIN) == Session(
        Origin("-", "77", "1", Connection("192.0.2.1")),
        Connection("192.0.2.1"),
        (
            Media(
                "audio",
                49170,
                "RTP/AVP",
                ("0", "101"),
                attributes=(Attribute("rtpmap", "101 telephone-event/8000"),),
            ),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        PLAIN + "\r\n",
        PLAIN + "\r\n\r\n",
        PLAIN.replace("0 101\r\n", "0 101 \t\r\n"),
        PLAIN[:-2],
        PLAIN.replace("\r\n", "\n"),
        PLAIN.replace("\r\n", "\r"),
        "\r\n" + PLAIN,
        PLAIN.replace("s=-", "s= "),
        PLAIN.replace("t=0 0", "x=what\r\n-----\r\nt=0 0"),
        PLAIN.replace("s=-", "s=-\r\ni=info\r\nu=http://c.example/\r\ne=noc@c.example\r\np=1"),
        PLAIN.replace("t=0 0", "b=CT:1000\r\nt=0 0\r\nr=7d 1h 0\r\nz=0 0\r\nk=clear:x"),
        PLAIN.replace("a=rtpmap", "b=AS:80\r\nb=RR:3000\r\nk=prompt\r\na=rtpmap"),
        PLAIN.replace("m=audio 49170", "m=AUDIO  49170/1"),
        PLAIN + "\0",
    ],
)
def test_what_senders_do_differently_makes_no_difference(text):
    assert parse(text) == parse(PLAIN)


def test_an_address_may_be_the_sessions_or_the_medias():
    session = parse(PLAIN.replace("t=0 0\r\n", "t=0 0\r\n") + "c=IN IP4 192.0.2.9")
    assert session.connection == Connection("192.0.2.1")
    assert session.media[0].connection == Connection("192.0.2.9")


@pytest.mark.parametrize(
    ("line", "address", "family"),
    [
        ("c=IN IP6 2001:db8::1", "2001:db8::1", "IP6"),
        ("c=IN IP6 [2001:db8::1]", "2001:db8::1", "IP6"),
        ("c=IN IP4 2001:db8::1", "2001:db8::1", "IP6"),
        ("c=IN IP4 224.2.1.1/127/3", "224.2.1.1", "IP4"),
        ("c=IN IP4 sbc_1.carrier.example", "sbc_1.carrier.example", "IP4"),
    ],
)
def test_addresses_are_names_or_numbers_of_either_family(line, address, family):
    connection = parse(PLAIN.replace("c=IN IP4 192.0.2.1", line)).connection
    assert (connection.address, connection.family) == (address, family)


def test_ids_of_twenty_digits_and_names_in_the_origin_are_kept():
    origin = parse(PLAIN.replace("77 1 IN IP4 192.0.2.1", f"{2**64 - 1} {2**70} IN IP4 a_b")).origin
    assert origin == Origin("-", str(2**64 - 1), str(2**70), Connection("a_b"))


def test_a_user_name_with_blanks_does_not_move_the_rest_of_the_origin():
    origin = parse(PLAIN.replace("o=- ", "o=My PBX ")).origin
    assert (origin.username, origin.session_id) == ("My_PBX", "77")


@pytest.mark.parametrize("line", ["o=", "o=- 77 1", "o=- 77 1 IN IP4 a/b"])
def test_an_origin_that_cannot_be_read_does_not_end_a_call(line):
    assert parse(PLAIN.replace("o=- 77 1 IN IP4 192.0.2.1", line)).origin == sdp.NO_ORIGIN


def test_several_times_and_ports_are_kept():
    session = parse(PLAIN.replace("t=0 0", "t=0 0\r\nt=1 2").replace("49170", "49170/2"))
    assert session.times == ("0 0", "1 2")
    assert (session.media[0].port, session.media[0].ports) == (49170, 2)


def test_refused_lines_of_any_kind_are_kept_in_order():
    text = PLAIN.replace(
        "m=audio", "m=audio 0 RTP/AVP 8\r\nm=image 0 udptl t38\r\nm=video 0 RTP/AVP\r\nm=audio", 1
    )
    assert [(m.kind, m.port, m.formats) for m in parse(text).media] == [
        ("audio", 0, ("8",)),
        ("image", 0, ("t38",)),
        ("video", 0, ()),
        ("audio", 49170, ("0", "101")),
    ]


def test_attributes_are_found_by_name_in_whatever_case():
    session = parse(PLAIN + "A=x:1\r\na=SendRecv\r\na=ptime: 30\r\na=\r\na=:x\r\na=ptime:20")
    media = session.media[0]
    assert media.has("sendrecv")
    assert list(media.values("ptime")) == ["30", "20"]
    assert not session.has("sendrecv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "v=0"),
        ("INVITE sip:x SIP/2.0", "v=0"),
        (PLAIN.replace("v=0", "v=1"), "v=0"),
        (PLAIN.replace("49170", "65536"), "m=kind port"),
        (PLAIN.replace("49170", "-1"), "m=kind port"),
        (PLAIN.replace("49170 RTP/AVP 0 101", "49170"), "m=kind port"),
        (PLAIN.replace("RTP/AVP", "RTP\x01AVP"), "m=kind port"),
        (PLAIN.replace("c=IN IP4 192.0.2.1", "c=IN IP4"), "has no address"),
        (PLAIN.replace("c=IN IP4 192.0.2.1", "c=IN IP4 a;b"), "has no address"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text, words):
    with pytest.raises(SdpError, match=words):
        parse(text)


@pytest.mark.parametrize(
    ("most", "beyond"),
    [
        (
            PLAIN + "m=video 0 RTP/AVP 34\r\n" * (sdp.MAX_MEDIA - 1),
            PLAIN + "m=video 0 RTP/AVP 34\r\n" * sdp.MAX_MEDIA,
        ),
        (PLAIN + "\n" * (sdp.MAX_LINES - 8), PLAIN + "\n" * (sdp.MAX_LINES - 7)),
        (PLAIN + "a" * sdp.MAX_LINE, PLAIN + "a" * (sdp.MAX_LINE + 1)),
        (
            PLAIN.replace("0 101", "0 " * sdp.MAX_FORMATS),
            PLAIN.replace("0 101", "0 " * (sdp.MAX_FORMATS + 1)),
        ),
    ],
)
def test_a_description_beyond_a_limit_is_refused(most, beyond):
    parse(most)
    with pytest.raises(SdpError, match=r"more than|longer than"):
        parse(beyond)


def test_a_description_of_too_many_bytes_is_refused():
    line = "a" * (sdp.MAX_LINE - 1) + "\n"
    with pytest.raises(SdpError, match="bytes"):
        parse(PLAIN + line * (sdp.MAX_BYTES // sdp.MAX_LINE))


TOKEN = st.from_regex(r"[!#-'*+\-.0-9A-Z^-~]{1,12}", fullmatch=True)
LOWER = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
HOST = st.one_of(
    st.ip_addresses().map(str), st.from_regex(r"[a-z_][a-z0-9_.-]{0,30}", fullmatch=True)
)
TEXT = st.from_regex(r"[!-~]([ -~]{0,30}[!-~])?", fullmatch=True)
ATTRIBUTE = st.builds(Attribute, LOWER, st.none() | TEXT)
ATTRIBUTES = st.lists(ATTRIBUTE, max_size=4).map(tuple)
CONNECTION = st.builds(Connection, HOST)
MEDIA = st.builds(
    Media,
    LOWER,
    st.integers(0, 65535),
    st.sampled_from(["RTP/AVP", "RTP/SAVPF", "udptl", "UDP/TLS/RTP/SAVPF"]),
    st.lists(TOKEN, max_size=5).map(tuple),
    st.integers(1, 4),
    st.none() | CONNECTION,
    attributes=ATTRIBUTES,
)
DIGITS = st.integers(0, 2**64).map(str)
SESSION = st.builds(
    Session,
    st.builds(Origin, TOKEN, DIGITS, DIGITS, CONNECTION),
    st.none() | CONNECTION,
    st.lists(MEDIA, max_size=4).map(tuple),
    TEXT,
    st.just(("0 0",)),
    attributes=ATTRIBUTES,
)


@given(SESSION)
def test_a_description_that_is_written_is_read_as_the_same(session):
    assert sdp.parse(sdp.serialise(session)) == session


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_are_read_or_refused(body):
    for head in (b"", PLAIN.encode(), b"v=0\r\n"):
        try:
            session = sdp.parse(head + body)
        except SdpError:
            continue
        assert sdp.parse(sdp.serialise(session)) == session
