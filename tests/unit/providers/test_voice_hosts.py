"""Tests of requests to voice hosts: signed, in the call's own order, within their time."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import threading

import pytest

from chalicelib.domain.delivery import Answer
from chalicelib.domain.voice import UnknownVoice, VoiceBusy, VoiceSettings, VoiceUnavailable
from chalicelib.providers import voice_hosts
from chalicelib.providers.outgoing_http import GuardedPoster
from chalicelib.providers.voice_hosts import OfferedVoice, SignedVoiceHosts, VoiceOffer
from common import control
from tests.support.voice_hosts import VOICE_SECRET

URLS = [f"http://voice-{n}.test:8705" for n in range(1, 5)]
USUAL = VoiceSettings()
NOW_S = 1_790_000_000


class Network:
    """A `Poster` with an answer for each URL, by default that of a free host."""

    def __init__(self):
        self.answers, self.asked, self.headers = {}, [], {}
        self.now = 0.0
        self.takes_s = 0.0

    def post(self, url, headers, body):
        base = url.partition("/v1/")[0]
        self.asked.append(base)
        self.headers = headers
        self.now += self.takes_s
        free = {"host": base, "url": "ws" + base.removeprefix("http"), "free": 1}
        answer = self.answers.get(base, (200, free))
        if answer is None:
            return Answer(None, 1, error="timeout: no answer within 1.5 s")
        status, content = answer
        text = content if isinstance(content, str) else json.dumps(content)
        return Answer(status, 1, text)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def hosts(network):
    return SignedVoiceHosts(
        URLS, VOICE_SECRET, poster=network, now_s=lambda: NOW_S, clock=lambda: network.now
    )


def test_calls_spread_over_the_hosts_and_each_has_its_own_order(hosts, network):
    for n in range(200):
        hosts.reserve(f"call_{n}", "acc_1", USUAL)
    counts = [network.asked.count(url) for url in URLS]
    assert sum(counts) == 200
    assert min(counts) > 20
    first = hosts.reserve("call_7", "acc_1", USUAL)
    assert hosts.reserve("call_7", "acc_1", USUAL) == first


def test_one_host_more_moves_only_the_calls_that_come_to_it(hosts, network):
    fewer = SignedVoiceHosts(URLS[:-1], VOICE_SECRET, poster=network, now_s=lambda: NOW_S)
    new = "ws://voice-4.test:8705"
    for n in range(50):
        before, after = (
            fewer.reserve(f"call_{n}", "acc_1", USUAL),
            hosts.reserve(f"call_{n}", "acc_1", USUAL),
        )
        assert after in (before, new)


def test_a_busy_host_is_passed_over(hosts, network):
    hosts.reserve("call_1", "acc_1", USUAL)
    first = network.asked[0]
    network.answers[first] = (503, {"code": "busy"})
    assert hosts.reserve("call_1", "acc_1", USUAL) != "ws" + first.removeprefix("http")
    network.answers = dict.fromkeys(URLS, (503, {"code": "busy"}))
    with pytest.raises(VoiceBusy):
        hosts.reserve("call_1", "acc_1", USUAL)


def test_busy_counts_more_than_a_host_that_lacks_the_voice(hosts, network):
    network.answers = dict.fromkeys(URLS, (422, {"code": "unknown_voice", "choices": ["amy"]}))
    with pytest.raises(UnknownVoice) as unknown:
        hosts.reserve("call_1", "acc_1", USUAL)
    assert unknown.value.choices == ["amy"]
    network.answers[URLS[0]] = (503, {"code": "busy"})
    with pytest.raises(VoiceBusy):
        hosts.reserve("call_1", "acc_1", USUAL)


@pytest.mark.parametrize(
    "broken",
    [None, (401, {"code": "bad_signature"}), (502, "<html>"), (200, "[1]"), (500, {"code": 7})],
)
def test_hosts_that_answer_wrongly_are_as_if_they_were_not_there(hosts, network, broken):
    network.answers = dict.fromkeys(URLS, broken)
    with pytest.raises(VoiceUnavailable):
        hosts.reserve("call_1", "acc_1", USUAL)
    with pytest.raises(VoiceUnavailable):
        hosts.offer()
    hosts.release("call_1")


def test_a_host_that_did_not_answer_is_asked_last_for_a_while(hosts, network):
    hosts.reserve("call_1", "acc_1", USUAL)
    first = network.asked.pop()
    network.answers[first] = None
    hosts.reserve("call_1", "acc_1", USUAL)
    network.asked.clear()
    hosts.reserve("call_1", "acc_1", USUAL)
    assert first not in network.asked
    network.answers.clear()
    network.now += voice_hosts.AVOIDED_S + 1
    network.asked.clear()
    hosts.reserve("call_1", "acc_1", USUAL)
    assert network.asked == [first]


def test_no_further_host_is_asked_when_the_time_is_over(hosts, network):
    network.answers = dict.fromkeys(URLS)
    network.takes_s = voice_hosts.TOTAL_S / 2
    with pytest.raises(VoiceUnavailable):
        hosts.reserve("call_1", "acc_1", USUAL)
    assert len(network.asked) == 2


def test_a_host_that_says_no_url_is_reached_where_it_was_asked(hosts, network):
    for given in (None, 7, "http://x", "ws://", "ws://x/path", "ws://" + "x" * 3000):
        network.answers = dict.fromkeys(URLS, (200, {"url": given}))
        assert hosts.reserve("call_1", "acc_1", USUAL) in {
            "ws" + url.removeprefix("http") for url in URLS
        }
    network.answers = dict.fromkeys(URLS, (200, {"url": "ws://10.0.0.5:8705/"}))
    assert hosts.reserve("call_1", "acc_1", USUAL) == "ws://10.0.0.5:8705"


def test_what_hosts_offer_is_cut_to_what_is_shown(hosts, network):
    voice = {"name": "amy", "language": "en-US", "engine": "local", "more": 1}
    offered = {"voices": [voice, "x"], "languages": ["en-US", 7], "capacity": 8}
    network.answers = dict.fromkeys(URLS, (200, offered))
    assert hosts.offer() == VoiceOffer((OfferedVoice("amy", "en-US", "local"),), ("en-US",))
    many = {"voices": [{**voice, "name": "x" * 500}] * 500, "languages": ["y" * 500] * 500}
    network.answers = dict.fromkeys(URLS, (200, many))
    offer = hosts.offer()
    assert (len(offer.voices), len(offer.languages)) == (voice_hosts.MAX_CHOICES,) * 2
    assert {len(offer.voices[0].name), len(offer.languages[0])} == {voice_hosts.MAX_CHOICE}
    network.answers = dict.fromkeys(URLS, (200, {"voices": {}, "languages": "all"}))
    assert hosts.offer() == VoiceOffer()


def test_relays_are_told_one_signature_for_all_hosts(hosts):
    settings = VoiceSettings(language="fr-FR", partials=True)
    dialled = hosts.to_dial("call_1", "ws://voice-2.test:8705", settings, 1_790_000_000_123)
    path = "/v1/call/call_1"
    assert dialled.url == "ws://voice-2.test:8705" + path
    assert sorted(dialled.others) == [f"ws://voice-{n}.test:8705{path}" for n in (1, 3, 4)]
    header = dialled.headers["X-Chamade-Voice-Settings"]
    assert json.loads(base64.urlsafe_b64decode(header)) == {
        "language": "fr-FR", "name": None, "speed": 1.0, "transcript": True, "partials": True,
        "answered_at": 1_790_000_000_123,
    }  # fmt: skip
    signature = dialled.headers["X-Chamade-Signature"]
    assert control.verify(VOICE_SECRET, path, header.encode(), signature, NOW_S)
    assert VOICE_SECRET not in repr(dialled)
    assert signature not in repr(dialled)


@pytest.fixture
def listening():
    """A host on loopback that notes what it is posted; its URL and the posts."""
    posts = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            posts.append((self.path, self.headers[control.HEADER], body))
            answer = json.dumps({"host": "voice-1", "url": "ws://10.0.0.5:8705", "free": 7})
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", posts
        server.shutdown()


def test_a_request_goes_over_the_network_signed(listening):
    url, posts = listening
    hosts = SignedVoiceHosts([url], f"{VOICE_SECRET},a former one", now_s=lambda: NOW_S)
    settings = VoiceSettings(language="en-US", name="amy", speed=1.5)
    assert hosts.reserve("call_1", "acc_1", settings) == "ws://10.0.0.5:8705"
    ((path, signature, body),) = posts
    assert path == "/v1/reserve"
    assert json.loads(body) == {
        "call_id": "call_1", "account": "acc_1",
        "language": "en-US", "name": "amy", "speed": 1.5,
    }  # fmt: skip
    assert control.verify(VOICE_SECRET, path, body, signature, NOW_S)
    assert VOICE_SECRET.encode() not in body
    hosts.release("call_1")
    assert posts[-1][0] == "/v1/release"


def test_a_host_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        poster = GuardedPoster(private=True, timeout_s=0.05)
        with pytest.raises(VoiceUnavailable):
            SignedVoiceHosts([url], VOICE_SECRET, poster=poster).reserve("call_1", "acc_1", USUAL)
