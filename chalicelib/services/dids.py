"""The numbers of an account's trunk (DIDs): added, set, removed, and told of when they lack."""

from __future__ import annotations

import logging

from chalicelib.domain.called_number import international_forms
from chalicelib.domain.did import MAX_DIDS, Did, DidChanges, NewDid, did_event
from chalicelib.domain.event import EventType
from chalicelib.domain.foreign_text import shown
from chalicelib.domain.not_added import not_added_event
from chalicelib.domain.trunk import Trunk
from chalicelib.services.numbers import UnknownNumber
from chalicelib.services.ports import Ports
from chalicelib.services.trunks import MAX_TRIES, NumberTaken, TooManyDids, own, step_aside
from chalicelib.store.dids import NotAdded, Taken, TooMany
from chalicelib.store.table import Contention
from chalicelib.store.trunk_items import TrunkChanged

log = logging.getLogger(__name__)


def add(ports: Ports, account_id: str, wish: NewDid) -> Did:
    """A number, now the trunk's. NoTrunk, NumberTaken, TooManyDids."""
    for _ in range(MAX_TRIES):
        trunk = own(ports, account_id)
        now = ports.now()
        did = Did(trunk_id=trunk.trunk_id, account_id=account_id, added_at=now, **wish.model_dump())
        try:
            ports.dids.add(trunk, did, did_event(EventType.NUMBER_ADDED, did, now))
        except (TrunkChanged, Contention):
            step_aside()
            continue
        except TooMany:
            raise TooManyDids(MAX_DIDS, f"The limit is {MAX_DIDS}; remove one first.") from None
        except Taken as taken:
            raise NumberTaken(did.e164, elsewhere=taken.elsewhere) from None
        log.info("number added", extra=_facts(did))
        return did
    raise Contention


def owned(ports: Ports, account_id: str, e164: str) -> Did:
    """A number of the account's trunk. NoTrunk, UnknownNumber."""
    did = ports.dids.get(own(ports, account_id).trunk_id, e164)
    if did is None:
        raise UnknownNumber(e164)
    return did


def change(ports: Ports, account_id: str, e164: str, changes: DidChanges) -> Did:
    """The number with the given fields changed. NoTrunk, UnknownNumber."""
    did = owned(ports, account_id, e164)
    given = changes.model_dump(mode="json", exclude_unset=True)
    if not given:
        return did
    try:
        return ports.dids.change(did.trunk_id, e164, given)
    except NotAdded:
        raise UnknownNumber(e164) from None


def remove(ports: Ports, account_id: str, e164: str) -> None:
    """Calls to the number are rejected from now on; calls that are up go on. NoTrunk,
    UnknownNumber.
    """
    for _ in range(MAX_TRIES):
        trunk = own(ports, account_id)
        did = ports.dids.get(trunk.trunk_id, e164)
        if did is None:
            raise UnknownNumber(e164)
        event = did_event(EventType.NUMBER_REMOVED, did, ports.now())
        try:
            ports.dids.remove(trunk, e164, event)
        except NotAdded:
            raise UnknownNumber(e164) from None
        except (TrunkChanged, Contention):
            step_aside()
            continue
        log.info("number removed", extra=_facts(did))
        return
    raise Contention


def note_called(ports: Ports, did: Did, to: str) -> None:
    """Note the first call to a number. It counts only if the carrier names the number in full: what
    rings there for want of another number, or by its last digits, does not show whose it is. That
    the call rings must not fail by it.
    """
    if did.called_at is not None or did.e164 not in international_forms(to):
        return
    try:
        ports.dids.note_called(did.trunk_id, did.e164, ports.now())
    except Exception:
        # The next call is another chance.
        log.exception("number's first call not noted", extra=_facts(did))


def tell_not_added(ports: Ports, trunk: Trunk, to: str, from_: str) -> None:
    """Tell the trunk's owner of a call that was for none of its numbers, within reason. That the
    call is rejected must not fail by it.
    """
    now = ports.now()
    event = not_added_event(trunk, to, from_, now)
    try:
        if ports.trunk_limits.tell_once(trunk.trunk_id, shown(to), now, event):
            log.info("number not added", extra={"trunk_id": trunk.trunk_id, "to": shown(to)})
    except Exception:
        log.exception("owner not told", extra={"trunk_id": trunk.trunk_id})


def _facts(did: Did) -> dict[str, object]:
    return {"account_id": did.account_id, "trunk_id": did.trunk_id, "number": did.e164}
