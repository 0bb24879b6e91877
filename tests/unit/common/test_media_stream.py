"""Tests of Media Streams messages as Twilio documents them."""

from __future__ import annotations

import base64
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import media_stream as ms

START = b"""{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC1","streamSid":"MZ1",
"callSid":"CA1","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,
"channels":1},"customParameters":{"a":"b"}},"streamSid":"MZ1"}"""
MEDIA = b"""{"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1",
"timestamp":"5","payload":"AQID"},"streamSid":"MZ1"}"""


def test_a_start_message_names_its_call_and_stream() -> None:
    message = ms.parse_from_provider(START)
    assert isinstance(message, ms.Start)
    assert (message.start.call_sid, message.stream_sid) == ("CA1", "MZ1")
    assert message.start.media_format == ms.MediaFormat()
    assert message.start.custom_parameters == {"a": "b"}


def test_a_media_message_decodes_equally_on_both_paths() -> None:
    message = ms.parse_from_provider(MEDIA)
    assert isinstance(message, ms.Media)
    assert message.media.payload == b"\x01\x02\x03" == ms.decode_media(memoryview(MEDIA))


@pytest.mark.parametrize("text", [START, b"{", b"", b"\xff", b'{"event":"media","media":{}}'])
def test_the_fast_path_returns_none_for_other_messages(text: bytes) -> None:
    assert ms.decode_media(text) is None


@pytest.mark.parametrize(
    "media",
    [
        b'"sequenceNumber":3,"media":{"payload":"AQID"}',
        b'"sequenceNumber":null,"media":{"payload":"AQID","chunk":1,"timestamp":5}',
        b'"media":{"track":null,"chunk":null,"timestamp":{},"payload":"AQID"}',
    ],
)
def test_fields_that_nobody_reads_may_be_of_any_type(media: bytes) -> None:
    text = b'{"event":"media","streamSid":"MZ1",' + media + b"}"
    assert ms.MediaDecoder("MZ1")(text) == b"\x01\x02\x03" == ms.decode_media(text)
    message = ms.parse_to_provider(text)
    assert isinstance(message, ms.Media)
    assert message.media.payload == b"\x01\x02\x03"


WIDE = b"[" + b"[]," * 300_000 + b"[]]"


@pytest.mark.parametrize(
    "text",
    [
        b'{"event":"media","media":{"payload":"AQID","chunk":%b},"streamSid":"MZ1"}',
        b'{"event":"dtmf","dtmf":{"digit":"5","track":%b},"streamSid":"MZ1"}',
        b'{"event":"mark","mark":{"name":"a"},"sequenceNumber":%b,"streamSid":"MZ1"}',
    ],
)
def test_fields_that_nobody_reads_are_skipped_and_not_built(text: bytes) -> None:
    wide = text % WIDE
    tracemalloc.start()
    try:
        message = ms.parse_to_provider(wide)
        ms.decode_media(wide)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message == ms.parse_to_provider(text % b"1")
    assert peak < len(wide)


def test_a_providers_messages_are_numbered_and_say_whose_key_it_is() -> None:
    says = ms.Outgoing("MZ1", "AC1", "CA1")
    said = [json.loads(text) for text in (
        says.start({"a": "b"}), says.media(b"\1"), says.dtmf("5"), says.mark("m"), says.stop()
    )]  # fmt: skip
    assert [each["sequenceNumber"] for each in said] == ["1", "2", "3", "4", "5"]
    assert said[2]["dtmf"] == {"digit": "5", "track": "inbound_track"}
    assert {each["streamSid"] for each in said} == {"MZ1"}


@pytest.mark.parametrize(
    ("payload", "ulaw"),
    [(b"AQID\\n", b"\1\2\3"), (b"AQ\\r\\nI=", b"\1\2"), (b"AQI", b"\1\2"), (b"AQ", b"\1")],
)
def test_audio_with_line_breaks_or_without_padding_is_heard(payload: bytes, ulaw: bytes) -> None:
    text = b'{"event":"media","streamSid":"MZ1","media":{"payload":"' + payload + b'"}}'
    assert ms.MediaDecoder("MZ1")(text) == ulaw
    assert ms.MediaDecoder("MZ2")(text) is None
    message = ms.parse_to_provider(text)
    assert isinstance(message, ms.Media)
    assert (message.media.payload, message.stream_sid) == (ulaw, "MZ1")


@pytest.mark.parametrize("payload", [b"%%%", b"A", b"AQ=ID", b"\xff"])
def test_audio_that_is_no_base64_is_no_audio(payload: bytes) -> None:
    text = b'{"event":"media","streamSid":"MZ1","media":{"payload":"' + payload + b'"}}'
    assert ms.MediaDecoder("MZ1")(text) is None
    with pytest.raises(ValueError, match="not a media stream message"):
        ms.parse_to_provider(text)


@pytest.mark.parametrize("text", [b'"mark":{"name":"x"}', b'"dtmf":{"digit":"1","track":null}'])
def test_numbered_marks_and_keys_parse_too(text: bytes) -> None:
    kind = text[1:5].decode()
    whole = b'{"event":"' + kind.encode() + b'","streamSid":"MZ1","sequenceNumber":4,' + text + b"}"
    assert isinstance(ms.parse_to_provider(whole), ms.Mark if kind == "mark" else ms.Dtmf)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'{"event":"connected","protocol":"Call","version":"1.0.0"}', ms.Connected),
        (b'{"event":"mark","streamSid":"MZ1","mark":{"name":"x"}}', ms.Mark),
        (b'{"event":"dtmf","dtmf":{"track":"inbound_track","digit":"1"}}', ms.Dtmf),
        (b'{"event":"stop","stop":{"accountSid":"AC1","callSid":"CA1"}}', ms.Stop),
    ],
)
def test_other_messages_parse_to_their_classes(text: bytes, kind: type) -> None:
    assert isinstance(ms.parse_from_provider(text), kind)


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"event":"new"}', b'{"event":"clear"}'])
def test_an_unknown_message_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a media stream message"):
        ms.parse_from_provider(text)


def test_messages_to_a_provider_encode_and_parse_back() -> None:
    assert ms.parse_to_provider(ms.encode(ms.Clear("MZ1"))) == ms.Clear("MZ1")
    mark = ms.Mark(ms.MarkDetail("x"), "MZ1")
    assert ms.parse_to_provider(ms.encode(mark)) == mark


@given(ulaw=st.binary(max_size=400), sid=st.text(max_size=40))
def test_encoded_media_is_the_same_json_as_the_library_writes(ulaw: bytes, sid: str) -> None:
    text = ms.MediaEncoder(sid)(ulaw)
    assert json.loads(text) == {
        "event": "media",
        "streamSid": sid,
        "media": {"payload": base64.b64encode(ulaw).decode()},
    }
    assert ms.decode_media(text) == ulaw
