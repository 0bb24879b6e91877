"""Tests of a trunk's numbers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.domain.did import NewDid


@pytest.mark.parametrize("url", ["ws://agent.example/", "wss://agent.example:8443/a?b=c"])
def test_an_agent_url_is_kept_as_given(url):
    assert NewDid(e164="+33612345678", agent_url=url).agent_url == url


@pytest.mark.parametrize(
    "url",
    ["", "http://a.example", "wss://", "wss:///x", "wss://a.example:99999", "wss://a b", "ws://a#f",
     "wss://a.example/" + "x" * 2048, "wss://a.example:0/"],
)  # fmt: skip
def test_a_url_of_another_scheme_is_refused(url):
    with pytest.raises(ValidationError):
        NewDid(e164="+33612345678", agent_url=url)
