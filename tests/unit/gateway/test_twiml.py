"""Tests of TwiML parsing: verbs become values, and everything else a Twilio error number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect as TwilioConnect
from twilio.twiml.voice_response import VoiceResponse

from gateway.errors import CallFailedError
from gateway.twiml.verbs import (
    MAX_DEPTH,
    Connect,
    Hangup,
    Pause,
    Redirect,
    Reject,
    Unsupported,
    parse,
)


def test_every_verb_parses_to_a_value_in_order():
    document = """<?xml version="1.0" encoding="UTF-8"?>
    <!-- what the application said -->
    <Response>
      <Pause length="2"/><Pause/>
      <Connect><Stream url="wss://x/y" name="n"><Parameter name="a" value="1"/></Stream></Connect>
      <Redirect method="get"> /next?a=1&amp;b=2 </Redirect>
      <Reject reason="busy"/><Reject/><Hangup/><Dial>+1555</Dial>
      <Connect><ConversationRelay url="wss://x"/></Connect>
    </Response>"""
    assert parse(document) == [
        Pause(2),
        Pause(1),
        Connect("wss://x/y", "n", {"a": "1"}),
        Redirect("/next?a=1&b=2", "GET"),
        Reject("busy"),
        Reject("rejected"),
        Hangup(),
        Unsupported("Dial"),
        Unsupported("Connect/ConversationRelay"),
    ]


def test_documents_of_twilios_library_are_parsed():
    response = VoiceResponse()
    response.pause(length=1)
    connect = TwilioConnect()
    connect.stream(url="wss://relay.example/ü").parameter(name="k", value='<"&')
    response.append(connect)
    response.redirect("https://x/after", method="POST")
    assert parse(str(response)) == [
        Pause(1),
        Connect("wss://relay.example/ü", "", {"k": '<"&'}),
        Redirect("https://x/after"),
    ]


@pytest.mark.parametrize("empty", [b"", b"  \n", b"<Response/>", "<Response></Response>"])
def test_an_empty_document_has_no_verbs(empty):
    assert parse(empty) == []


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("<Response>", 12100),
        ("hello", 12100),
        ("<Response/><Response/>", 12100),
        ("<html/>", 12100),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Response>&a;</Response>', 12100),
        ('<!DOCTYPE Response SYSTEM "http://x/y.dtd"><Response/>', 12100),
        ("<Response>" + "<a>" * 50 + "</a>" * 50 + "</Response>", 12100),
        ('<?xml version="1.0" encoding="klingon"?><Response/>', 12100),
        ("<Response>" + " " * 65536 + "</Response>", 11750),
        ('<Response><Pause length="-1"/></Response>', 12200),
        ('<Response><Pause length="1.5"/></Response>', 12200),
        ('<Response><Reject reason="no"/></Response>', 12200),
        ('<Response><Redirect method="PUT">/</Redirect></Response>', 12200),
        ("<Response><Connect/></Response>", 12200),
        ("<Response><Connect><Stream/></Connect></Response>", 12200),
        (
            '<Response><Connect><Stream url="wss://x" track="both_tracks"/></Connect></Response>',
            12200,
        ),
        (
            '<Response><Connect><Stream url="wss://x"><Parameter value="1"/></Stream></Connect>'
            "</Response>",
            12200,
        ),
    ],
)
def test_an_invalid_document_has_twilios_error_number(document, code):
    with pytest.raises(CallFailedError) as failure:
        parse(document)
    assert failure.value.code == code


def verbs_or_code(document):
    try:
        return isinstance(parse(document), list)
    except CallFailedError as failure:
        return failure.code in (12100, 12200)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_parse_or_raise_a_twiml_error(data):
    assert verbs_or_code(data)


@given(st.text(st.sampled_from("<>/=\"'! ?&;RPadeConsuml"), max_size=60))
def test_arbitrary_elements_parse_or_raise_a_twiml_error(text):
    assert verbs_or_code(f"<Response>{text}</Response>")


XML_TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=30
)


@given(st.dictionaries(XML_TEXT, XML_TEXT, max_size=5))
def test_stream_parameters_survive_a_round_trip(parameters):
    response, connect = VoiceResponse(), TwilioConnect()
    stream = connect.stream(url="wss://x")
    for name, value in parameters.items():
        stream.parameter(name=name, value=value)
    response.append(connect)
    assert parse(str(response)) == [Connect("wss://x", "", parameters)]


def test_a_document_that_is_nested_too_deeply_is_refused():
    for depth in (MAX_DEPTH, 5_000):
        with pytest.raises(CallFailedError, match="too deeply"):
            parse("<Response>" + "<a>" * depth)
