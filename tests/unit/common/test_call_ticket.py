import base64
import json

import pytest

from common import call_ticket, control
from common.call_ticket import Ticket

SECRET, NOW = "a secret", 1_790_000_000
TICKET = Ticket("+15550000001", "client:dashboard", "trk_1", NOW + 60)


@pytest.fixture
def text():
    return call_ticket.issue(SECRET, TICKET)


def test_a_ticket_opens_to_the_values_it_was_issued_for(text):
    assert call_ticket.read(SECRET, text, NOW) == TICKET
    assert call_ticket.read(SECRET, text, NOW + 59.9) == TICKET


def test_no_two_tickets_are_the_same(text):
    assert call_ticket.issue(SECRET, TICKET) != text


def test_an_expired_ticket_is_refused(text):
    assert call_ticket.read(SECRET, text, NOW + 60) is None


def test_another_secret_signs_no_ticket(text):
    assert call_ticket.read("another", text, NOW) is None


def test_an_empty_secret_issues_no_ticket():
    assert call_ticket.read("", call_ticket.issue("", TICKET), NOW) is None


def test_a_ticket_with_any_change_is_refused(text):
    claim, _, mac = text.partition(".")
    said = json.loads(base64.urlsafe_b64decode(claim + "=="))
    for place, value in ((0, "+15550000002"), (1, "+15550000003"), (2, None), (3, NOW + 600)):
        forged = [*said[:place], value, *said[place + 1 :]]
        other = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
        assert call_ticket.read(SECRET, f"{other}.{mac}", NOW) is None
    for other in ("", ".", claim, f"{claim}.", f".{mac}", f"{claim}.{mac}x", f"{claim}.é", "é"):
        assert call_ticket.read(SECRET, other, NOW) is None


def test_a_control_request_signature_is_not_accepted_as_a_ticket(text):
    claim = text.partition(".")[0]
    signed = control.sign(SECRET, "/legs/call", claim.encode(), NOW).rpartition("=")[2]
    raw = base64.urlsafe_b64encode(bytes.fromhex(signed)).decode().rstrip("=")
    assert call_ticket.read(SECRET, f"{claim}.{raw}", NOW) is None
