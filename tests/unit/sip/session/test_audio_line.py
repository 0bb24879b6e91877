"""Tests of what an audio line says: formats, packet times, directions, addresses."""

from __future__ import annotations

import pytest

from gateway.sip.session import audio_line as audio
from gateway.sip.session import sdp
from gateway.sip.session.audio_line import Format, NotAcceptable

HEAD = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"


def session(line, *below, head=HEAD):
    return sdp.parse("\n".join((head + "m=audio " + line, *below)).encode())


def media(line, *below):
    return session(line, *below).media[0]


@pytest.mark.parametrize(
    ("line", "maps", "found"),
    [
        ("0 8 13", [], [(0, "PCMU"), (8, "PCMA"), (13, "CN")]),
        ("8 0", ["0 pcmu/8000/1"], [(8, "PCMA"), (0, "PCMU")]),
        ("96 97", ["96 PCMA/8000", "97 PCMU / 8000"], [(96, "PCMA"), (97, "PCMU")]),
        ("0 100 101", [f"{n} telephone-event/{hz}" for n, hz in ((100, 16000), (101, 8000))],
         [(0, "PCMU"), (101, "telephone-event")]),
        ("0 99", ["99 Telephone-Event/8000"], [(0, "PCMU"), (99, "telephone-event")]),
        ("0 96", ["0 PCMU", "96 CN/8000"], [(0, "PCMU"), (96, "CN")]),
        ("0 96", ["96 PCMA/8000/2"], [(0, "PCMU")]),
        ("0 8", ["0 PCMU/16000"], [(8, "PCMA")]),
        ("0 8", ["0 G729/8000"], [(8, "PCMA")]),
        ("18 9 111", ["111 opus/48000/2"], []),
        ("0 0 8", [], [(0, "PCMU"), (8, "PCMA")]),
        ("0 300 t38", ["300 PCMA/8000"], [(0, "PCMU")]),
        ("0", ["8 PCMA/8000"], [(0, "PCMU")]),
    ],
)  # fmt: skip
def test_formats_are_found_by_their_encoding(line, maps, found):
    formats = audio.formats(media("4000 RTP/AVP " + line, *[f"a=rtpmap:{m}" for m in maps]))
    assert formats == tuple(Format(*each) for each in found)


@pytest.mark.parametrize(
    ("below", "ms"),
    [
        ([], 20),
        (["a=ptime:30"], 30),
        (["a=ptime:20.0"], 20),
        (["a=ptime:5"], 10),
        (["a=ptime:25"], 20),
        (["a=ptime:240"], 60),
        (["a=ptime:0"], 20),
        (["a=ptime:many"], 20),
        (["a=ptime"], 20),
        (["a=maxptime:10"], 10),
        (["a=maxptime:150"], 20),
        (["a=ptime:40", "a=maxptime:30"], 30),
    ],
)
def test_packet_times_are_multiples_of_ten_that_the_peer_allows(below, ms):
    assert audio.ptime(media("4000 RTP/AVP 0", *below)) == ms


@pytest.mark.parametrize(
    ("head", "below", "direction"),
    [
        (HEAD, [], "sendrecv"),
        (HEAD + "a=sendonly\n", [], "sendonly"),
        (HEAD + "a=sendonly\n", ["a=inactive"], "inactive"),
        (HEAD, ["a=recvonly"], "recvonly"),
    ],
)
def test_a_lines_direction_counts_more_than_the_sessions(head, below, direction):
    offer = session("4000 RTP/AVP 0", *below, head=head)
    assert audio.direction(offer, offer.media[0]) == direction


@pytest.mark.parametrize(
    ("wants", "theirs", "send", "receive"),
    [
        ("sendrecv", "sendrecv", True, True),
        ("sendrecv", "sendonly", False, True),
        ("sendrecv", "recvonly", True, False),
        ("sendrecv", "inactive", False, False),
        ("sendonly", "sendrecv", True, False),
        ("sendonly", "sendonly", False, False),
        ("recvonly", "sendrecv", False, True),
        ("inactive", "sendrecv", False, False),
    ],
)
def test_audio_flows_where_both_sides_want_it(wants, theirs, send, receive):
    offer = session("4000 RTP/AVP 0", f"a={theirs}")
    assert audio.ways(wants, offer, offer.media[0]) == (send, receive)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "hold.invalid", "Hold.INVALID."])
def test_some_addresses_mean_that_nothing_is_to_be_sent(host):
    assert audio.nowhere(host)
    offer = session("4000 RTP/AVP 0", f"c=IN IP4 {host}")
    assert audio.ways("sendrecv", offer, offer.media[0]) == (False, True)


def test_other_addresses_do_not():
    assert not any(audio.nowhere(host) for host in ("192.0.2.1", "a.example", "2001:db8::1"))


def test_an_audio_line_without_an_address_is_refused():
    offer = session("4000 RTP/AVP 0", head=HEAD.replace("c=IN IP4 192.0.2.1\n", ""))
    with pytest.raises(NotAcceptable, match="no c= line"):
        audio.host(offer, offer.media[0])


def test_multicast_is_refused_with_its_own_warning():
    offer = session("4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127")
    with pytest.raises(NotAcceptable, match="multicast") as refused:
        audio.host(offer, offer.media[0])
    assert refused.value.warning("gw.example").startswith('330 gw.example "')


@pytest.mark.parametrize(
    ("below", "port"),
    [
        ([], 4001),
        (["a=rtcp:53020"], 53020),
        (["a=rtcp:53020 IN IP4 198.51.100.7"], 53020),
        (["a=rtcp:0"], 4001),
        (["a=rtcp:70000"], 4001),
        (["a=rtcp:x"], 4001),
    ],
)
def test_reports_go_to_the_port_that_the_peer_names_or_to_the_next(below, port):
    assert audio.rtcp_port(media("4000 RTP/AVP 0", *below)) == port


def test_there_is_no_port_above_the_last():
    assert audio.rtcp_port(media("65535 RTP/AVP 0")) == 65535


def test_a_warning_quotes_its_reason():
    assert NotAcceptable('a "b" \\').warning("gw") == '399 gw "a \\"b\\" \\\\"'
