"""Tests that a request goes to the gateway that has the trunk, or the call."""

from __future__ import annotations

import pytest

from chalicelib.domain.gateway_lease import GatewayLease, holder
from chalicelib.providers.base import Dial, HangUp, ProviderError, RemoteStatus
from chalicelib.providers.many_gateways import ManyGateways
from chalicelib.providers.twilio import TwilioAccount, TwilioProvider
from common.gateway_tag import tag_of
from gateway.sids import new_sid, process_of_call

LEASES = [
    GatewayLease(name=name, url=f"http://{name}", until=2, since=1) for name in ("a", "b", "c")
]


@pytest.fixture
def asked(monkeypatch):
    """Which gateway was asked what."""
    noted = []

    def note(what, answer):
        def asked(self, *_args, **_more):
            noted.append((what, self._account.api_url))
            return answer

        return asked

    for what, answer in (
        ("dial", "CA1"), ("steer", True), ("hang_up", None), ("status", RemoteStatus.LIVE),
    ):  # fmt: skip
        monkeypatch.setattr(TwilioProvider, what, note(what, answer))
    return noted


def provider(leases=LEASES):
    account = TwilioAccount("gateway", "AC" + "0" * 32, "t0ken", "https://api", "wss://relay")
    return ManyGateways(account, lambda: leases)


def order(trunk_id):
    return Dial("call_1", "+33199001234", "+33199005678", 60, 600, trunk_id=trunk_id)


@pytest.mark.parametrize("trunk_id", [f"trunk_{number}" for number in range(5)])
def test_a_dial_goes_to_the_gateway_that_holds_the_trunk(asked, trunk_id):
    assert provider().dial(order(trunk_id)) == "CA1"
    assert asked == [("dial", holder(trunk_id, LEASES).url)]


def test_a_call_is_found_by_its_sid_whichever_process_made_it(asked):
    for process in (None, 3):
        sid = new_sid("CA", process, tag_of("b"))
        assert len(sid) == 34
        assert process is None or process_of_call(sid) == process
        assert provider().steer(sid, HangUp())
        provider().hang_up(sid, answered=True)
        assert provider().status(sid) is RemoteStatus.LIVE
    assert asked == [(what, "http://b") for what in ("steer", "hang_up", "status")] * 2


def test_a_gateway_that_is_gone_has_no_calls_any_more(asked):
    gone = provider([each for each in LEASES if each.name != "b"])
    sid = new_sid("CA", None, tag_of("b"))
    assert gone.status(sid) is RemoteStatus.OVER
    gone.hang_up(sid, answered=True)
    with pytest.raises(ProviderError, match="gateway is gone"):
        gone.steer(sid, HangUp())
    assert asked == []


def test_without_a_gateway_no_call_is_placed(asked):
    with pytest.raises(ProviderError, match="no gateway"):
        provider([]).dial(order("trunk_1"))
