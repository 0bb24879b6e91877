"""Helpers of the tests about trunks in this folder."""

from __future__ import annotations

from chalicelib.domain.did import Did
from chalicelib.domain.trunk import TrunkStatus, new_trunk_id
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.services import inbox
from chalicelib.services.call import inbound
from chalicelib.services.line import gateway_trunks

PASSWORD = "s3cret-pw"
REGISTERED, FAILED = TrunkStatus.REGISTERED, TrunkStatus.FAILED


def settings(**changes):
    given = {"host": "sip.carrier.example", "username": "acct42", "password": PASSWORD}
    return TrunkSettings.model_validate({**given, **changes})


def report(world, trunk, status, sip_code=None, detail="", *, revision=None):
    return gateway_trunks.report(
        world.deps,
        trunk.trunk_id,
        revision=revision or trunk.revision,
        status=status,
        sip_code=sip_code,
        detail=detail,
    )


def events_of(world, account_id=None):
    found, cursor = [], None
    while True:
        page, cursor = inbox.read(world.deps, account_id or world.account_id, cursor, 0)
        if not page:
            return found
        found += page


def through(world, trunk, to, from_="+33612345678", sid=None):
    return inbound.Incoming("gateway", sid or world.sid(), from_, to, trunk_id=trunk.trunk_id)


def did_of(world, e164):
    trunk = world.stores.trunks.of_account(world.account_id)
    trunk_id = trunk.trunk_id if trunk else new_trunk_id()
    return Did(e164=e164, trunk_id=trunk_id, account_id=world.account_id, added_at=0)
