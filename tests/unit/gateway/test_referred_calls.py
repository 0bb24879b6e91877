"""Tests of the outcome of a REFER in the status callbacks of a call."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from gateway.calls.call import Call
from gateway.calls.live_call import LiveCall, Plan, Switch


@pytest.fixture
def posted():
    return []


@pytest.fixture
def live(posted):
    call = Call(
        account_sid="AC1",
        to="+33199001234",
        from_="+33199005678",
        direction="inbound",
        created_at=0.0,
        answered_at=1.0,
    )
    webhooks = SimpleNamespace(notify=lambda _url, _method, params: posted.append(params))
    switch = Switch(Mock(max_redirects=10), webhooks, Mock(), Mock())
    live = LiveCall(call, Plan(Mock(), status_url="https://app.example/status"), switch, Mock())
    live._leg = Mock()
    return live


def outcomes(posted):
    return [params.get("ReferStatus") for params in posted]


async def test_posts_after_an_outcome_repeat_it(live, posted):
    assert live.refer("+33199007777")
    live.on_refer(486)
    live.on_quality("poor", 2.1)
    assert outcomes(posted) == ["486", "486"]


async def test_the_outcome_of_a_former_transfer_is_not_told_during_the_next(live, posted):
    assert live.refer("+33199007777")
    live.on_refer(486)
    assert live.refer("+33199008888")
    live.on_quality("poor", 2.1)
    live.on_refer(603)
    assert outcomes(posted) == ["486", None, "603"]


async def test_a_transfer_that_is_not_asked_for_leaves_the_outcome_of_the_former(live, posted):
    live.on_refer(486)
    live._leg.refer.return_value = False
    assert not live.refer("+33199008888")
    live.on_quality("poor", 2.1)
    assert outcomes(posted) == ["486", "486"]
