"""Tests of the interpreter, with doubles of the line and the application."""

from __future__ import annotations

import pytest

from gateway.errors import CallFailedError
from gateway.twiml.interpreter import Fetch, Inline, Interpreter
from gateway.twiml.verbs import Hangup, Reject


class Paper:
    """Line and fetcher in one; `log` says what happened, in order."""

    def __init__(self, documents=None, opens=True):
        self.documents, self.opens, self.log = documents or {}, opens, []

    async def answer(self):
        self.log.append("answer")

    async def connect(self, verb):
        self.log.append(f"stream {verb.url}")
        return self.opens

    async def fetch(self, url, method):
        self.log.append(f"{method} {url}")
        return f"<Response>{self.documents[url]}</Response>".encode()

    async def sleep(self, seconds):
        self.log.append(f"pause {seconds}")

    def run(self, program, limit=10):
        return Interpreter(self, self, limit, self.sleep).run(program)


async def test_verbs_run_in_order_and_the_call_is_hung_up_at_the_end():
    paper = Paper({"http://a/v": '<Pause length="3"/><Connect><Stream url="wss://s"/></Connect>'})
    assert await paper.run(Fetch("http://a/v")) == Hangup()
    assert paper.log == ["POST http://a/v", "pause 3", "answer", "stream wss://s"]


async def test_nothing_runs_after_a_verb_that_ends_the_document():
    paper = Paper()
    ending = await paper.run(Inline('<Response><Reject reason="busy"/><Pause/></Response>'))
    assert ending == Reject("busy")
    assert paper.log == []


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("ringing", "http://a/x/ringing"),
        ("/ringing", "http://a/ringing"),
        ("?b=2", "http://a/x/voice?b=2"),
        ("", "http://a/x/voice?q=1"),
        ("https://b/y", "https://b/y"),
        ("//b/y", "http://b/y"),
    ],
)
async def test_a_redirect_is_relative_to_its_document(target, url):
    paper = Paper({"http://a/x/voice?q=1": f'<Redirect method="GET">{target}</Redirect>'})
    paper.documents.setdefault(url, "<Hangup/>")
    with_loop = url in ("http://a/x/voice?q=1",)
    try:
        await paper.run(Fetch("http://a/x/voice?q=1"), limit=1)
    except CallFailedError:
        assert with_loop
    assert paper.log[1] == f"GET {url}"


@pytest.mark.parametrize("target", ["relative", "ftp://x/y", "http://[", "file:///etc/passwd"])
async def test_a_redirect_to_nowhere_fails_with_11100(target):
    with pytest.raises(CallFailedError) as failure:
        await Paper().run(Inline(f"<Response><Redirect>{target}</Redirect></Response>"))
    assert failure.value.code == 11100


async def test_a_redirect_loop_fails():
    paper = Paper({"http://a/v": "<Pause/><Redirect/>"})
    with pytest.raises(CallFailedError, match="6 redirects in a row"):
        await paper.run(Fetch("http://a/v"), limit=5)


async def test_an_open_stream_resets_the_count_of_redirects():
    again = '<Connect><Stream url="wss://s"/></Connect><Redirect/>'
    paper = Paper({"http://a/v": again})
    rounds = 0

    async def connect(verb):
        nonlocal rounds
        rounds += 1
        if rounds == 50:
            paper.documents["http://a/v"] = "<Hangup/>"
        return True

    paper.connect = connect
    assert await paper.run(Fetch("http://a/v"), limit=2) == Hangup()


async def test_a_stream_that_never_opens_does_not_reset_the_count_of_redirects():
    again = '<Connect><Stream url="wss://s"/></Connect><Redirect/>'
    with pytest.raises(CallFailedError, match="redirects"):
        await Paper({"http://a/v": again}, opens=False).run(Fetch("http://a/v"), limit=5)


@pytest.mark.parametrize("verb", ["Say", "Play", "Gather", "Record", "Dial", "Start", "Nonsense"])
async def test_an_unsupported_verb_fails_when_it_is_reached(verb):
    paper = Paper()
    with pytest.raises(CallFailedError, match=f"<{verb}> is not supported") as failure:
        await paper.run(Inline(f"<Response><Pause/><{verb}/></Response>"))
    assert failure.value.code == 12200
    assert paper.log == ["pause 1"]
