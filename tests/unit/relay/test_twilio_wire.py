"""Twilio's dialect as messages: exactly Twilio's, numbered, and never an error that is said."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import media_stream
from relay.protocol import agent
from relay.protocol.twilio_dialect import TwilioDialect, parameters

CALL = {
    "call_id": "call_1", "state": "active", "direction": "inbound", "from": "+331", "to": "+1555",
    "line": "+1555", "forwarded_from": None, "metadata": {},
}  # fmt: skip


def started() -> tuple[TwilioDialect, list[tuple[str, str]]]:
    noted: list[tuple[str, str]] = []
    dialect = TwilioDialect(lambda code, detail: noted.append((code, detail)))
    dialect.start(CALL, agent.Sids("AC1", "CA1"), resumed=False)
    return dialect, noted


def test_a_stream_begins_with_connected_and_start() -> None:
    dialect = TwilioDialect(lambda *_: None)
    connected, start = map(json.loads, dialect.start(CALL, agent.Sids("AC1", "CA1"), resumed=True))
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": dialect.stream_sid,
        "start": {
            "accountSid": "AC1",
            "streamSid": dialect.stream_sid,
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {
                "call_id": "call_1", "direction": "inbound", "from": "+331", "to": "+1555",
                "line": "+1555",
            },
        },
    }  # fmt: skip
    assert len(dialect.stream_sid) == 34


def test_all_messages_of_a_stream_share_one_sequence() -> None:
    dialect, _ = started()
    sid = dialect.stream_sid
    said = [
        dialect.media(b"\xff" * 160),
        dialect.dtmf("#"),
        dialect.media(b"\x01" * 160),
        dialect.mark("hello", played=True),
        dialect.mark("gone", played=False),
        dialect.stop("caller_hangup", "ended"),
    ]
    assert [json.loads(text or b"") for text in said] == [
        {
            "event": "media", "sequenceNumber": "2", "streamSid": sid,
            "media": {"track": "inbound", "chunk": "1", "timestamp": "0",
                      "payload": base64.b64encode(b"\xff" * 160).decode()},
        },
        {"event": "dtmf", "sequenceNumber": "3", "streamSid": sid,
         "dtmf": {"track": "inbound_track", "digit": "#"}},
        {
            "event": "media", "sequenceNumber": "4", "streamSid": sid,
            "media": {"track": "inbound", "chunk": "2", "timestamp": "20",
                      "payload": base64.b64encode(b"\x01" * 160).decode()},
        },
        {"event": "mark", "sequenceNumber": "5", "streamSid": sid, "mark": {"name": "hello"}},
        {"event": "mark", "sequenceNumber": "6", "streamSid": sid, "mark": {"name": "gone"}},
        {"event": "stop", "sequenceNumber": "7", "streamSid": sid,
         "stop": {"accountSid": "AC1", "callSid": "CA1"}},
    ]  # fmt: skip
    assert dialect.stop() is None, "once"


def test_lost_audio_advances_the_time_and_not_the_chunk_number() -> None:
    dialect, noted = started()
    dialect.media(b"\xff" * 160)
    dialect.dropped("to_agent", 1000, "slow_agent")
    media = json.loads(dialect.media(b"\xff" * 160))["media"]
    assert (media["chunk"], media["timestamp"]) == ("2", "1020")
    assert noted == [("dropped", "1000 ms to_agent: slow_agent")]


def test_nothing_is_encoded_before_start() -> None:
    dialect = TwilioDialect(lambda *_: None)
    assert dialect.dtmf("1") is dialect.mark("x", played=True) is dialect.stop() is None


def test_messages_of_the_agent_are_parsed() -> None:
    dialect, _ = started()
    sid = dialect.stream_sid
    clear = json.dumps({"event": "clear", "streamSid": sid}).encode()
    mark = json.dumps({"event": "mark", "streamSid": sid, "mark": {"name": "m"}}).encode()
    media = media_stream.MediaEncoder(sid)(b"\x01\x02")
    assert isinstance(dialect.parse(clear), agent.Clear)
    assert dialect.parse(mark) == agent.Mark("m")
    assert dialect.decode_media(media) == b"\x01\x02"
    assert dialect.decode_media(mark) is None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"event": "clear"}, "bad_stream_sid"),
        ({"event": "media", "streamSid": "MZ0", "media": {"payload": ""}}, "bad_stream_sid"),
        ({"event": "mark", "streamSid": "own", "mark": {"name": "x" * 1025}}, "bad_field"),
        ({"event": "dtmf", "streamSid": "own", "dtmf": {"digit": "1"}}, "unknown_type"),
        ({"event": "media", "streamSid": "own", "media": {"payload": "?"}}, "bad_message"),
        ({"event": "later", "streamSid": "own"}, "bad_message"),
    ],
)
def test_malformed_messages_are_refused(message, code) -> None:
    dialect, noted = started()
    if message.get("streamSid") == "own":
        message["streamSid"] = dialect.stream_sid
    text = json.dumps(message).encode()
    assert dialect.decode_media(text) is None
    with pytest.raises(agent.BadMessageError) as refused:
        dialect.parse(text)
    assert refused.value.code == code
    assert dialect.error(refused.value.code, str(refused.value)) is None
    assert noted[0][0] == code


def test_metadata_is_sent_as_text_and_cannot_replace_the_calls_fields() -> None:
    metadata = {"customer": "A 7", "tries": 2, "vip": True, "rate": 0.5, "none": None,
                "list": [1], "map": {}, "from": "+999", "call_id": "call_2"}  # fmt: skip
    told = {"caller_name": "Zoë", "sip_headers": {"X-Order": "4711"}}
    assert parameters({**CALL, **told, "forwarded_from": "+332", "metadata": metadata}) == {
        "caller_name": "Zoë",
        "SipHeader_X-Order": "4711",
        "customer": "A 7", "tries": "2", "vip": "true", "rate": "0.5", "call_id": "call_1",
        "direction": "inbound", "from": "+331", "to": "+1555", "line": "+1555",
        "forwarded_from": "+332",
    }  # fmt: skip


@given(audio=st.lists(st.binary(min_size=1, max_size=400), max_size=20))
def test_audio_survives_the_codec_unchanged(audio: list[bytes]) -> None:
    says = media_stream.Outgoing("MZ1", "AC1", "CA1")
    texts = [says.media(ulaw) for ulaw in audio]
    assert [media_stream.decode_media(text) for text in texts] == audio
    said = [json.loads(text) for text in texts]
    assert [each["sequenceNumber"] for each in said] == [str(n + 1) for n in range(len(audio))]
    begins, at = [], 0
    for ulaw in audio:
        begins.append(str(at * 1000 // 8000))
        at += len(ulaw)
    assert [each["media"]["timestamp"] for each in said] == begins
    assert all(json.loads(text)["streamSid"] == "MZ1" for text in texts)
