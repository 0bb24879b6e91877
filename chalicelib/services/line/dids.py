"""The numbers of an account's trunks (DIDs): add, change and remove them, and tell the owner of
calls to numbers that are not added.
"""

from __future__ import annotations

import logging

from chalicelib.domain.did import MAX_DIDS, Did, DidChanges, NewDid, did_event
from chalicelib.domain.did_matching import international_forms
from chalicelib.domain.event import EventType
from chalicelib.domain.foreign_text import printable
from chalicelib.domain.rejected_calls import not_added_event
from chalicelib.domain.trunk import Trunk
from chalicelib.domain.trunk_fields import MAIN
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.numbers import UnknownNumber, check_voice
from chalicelib.services.line.trunks import NumberTaken, TooManyDids, own
from chalicelib.store.contention import tries
from chalicelib.store.dids import NotAdded, Taken, TooMany
from chalicelib.store.table import Contention
from chalicelib.store.trunk_items import TrunkChanged

log = logging.getLogger(__name__)

_NONE_OF_THEM = "It is none of your trunk's numbers."


def add(deps: Dependencies, account_id: str, wanted: NewDid, name: str = MAIN) -> Did:
    """Add a number to the trunk of that name. Raises NoTrunk, NumberTaken, Reserved,
    TooManyDids, and what `voice_offer.check_number` raises for a voice that cannot be.
    """
    check_voice(deps, account_id, wanted.voice, wanted.voice_settings)
    for _ in tries():
        trunk = own(deps, account_id, name)
        now = deps.now()
        did = Did(
            trunk_id=trunk.trunk_id, account_id=account_id, added_at=now, **wanted.model_dump()
        )
        try:
            deps.stores.dids.add(trunk, did, did_event(EventType.NUMBER_ADDED, did, now))
        except (TrunkChanged, Contention):
            continue
        except TooMany:
            raise TooManyDids(MAX_DIDS, f"The limit is {MAX_DIDS}; remove one first.") from None
        except Taken as taken:
            raise NumberTaken(did.e164, elsewhere=taken.elsewhere, trunk=name) from None
        log.info("number added", extra=_facts(did))
        return did
    raise Contention


def owned(deps: Dependencies, account_id: str, e164: str, name: str = MAIN) -> Did:
    """Return a number of the account's trunk of that name. Raises NoTrunk, UnknownNumber."""
    did = deps.stores.dids.get(own(deps, account_id, name).trunk_id, e164)
    if did is None:
        raise UnknownNumber(e164, _NONE_OF_THEM)
    return did


def change(
    deps: Dependencies, account_id: str, e164: str, changes: DidChanges, name: str = MAIN
) -> Did:
    """Change the given fields of a number; return it. Raises NoTrunk, UnknownNumber, and what
    `voice_offer.check_number` raises for a voice that cannot be.
    """
    did = owned(deps, account_id, e164, name)
    given = changes.model_dump(mode="json", exclude_unset=True)
    if not given:
        return did
    check_voice(deps, account_id, changes.voice, changes.voice_settings)
    try:
        return deps.stores.dids.change(did.trunk_id, e164, given)
    except NotAdded:
        raise UnknownNumber(e164, _NONE_OF_THEM) from None


def remove(deps: Dependencies, account_id: str, e164: str, name: str = MAIN) -> None:
    """Remove a number: calls to it are rejected from now on; calls that are up go on. Raises
    NoTrunk, UnknownNumber.
    """
    for _ in tries():
        trunk = own(deps, account_id, name)
        did = deps.stores.dids.get(trunk.trunk_id, e164)
        if did is None:
            raise UnknownNumber(e164, _NONE_OF_THEM)
        event = did_event(EventType.NUMBER_REMOVED, did, deps.now())
        try:
            deps.stores.dids.remove(trunk, e164, event)
        except NotAdded:
            raise UnknownNumber(e164, _NONE_OF_THEM) from None
        except (TrunkChanged, Contention):
            continue
        log.info("number removed", extra=_facts(did))
        return
    raise Contention


def note_called(deps: Dependencies, did: Did, to: str) -> None:
    """Note the first call to a number. It counts only if the carrier names the number in full: a
    call that was matched by its last digits, or to the trunk's only number, does not show that the
    number is the owner's. Never raises: the call must ring.
    """
    if did.called_at is not None or did.e164 not in international_forms(to):
        return
    try:
        deps.stores.dids.note_called(did.trunk_id, did.e164, deps.now())
    except Exception:
        # The next call tries again.
        log.exception("number's first call not noted", extra=_facts(did))


def tell_not_added(deps: Dependencies, trunk: Trunk, to: str, from_: str) -> None:
    """Tell the trunk's owner of a call that was for none of its numbers, within limits. Never
    raises: the call must be rejected.
    """
    now = deps.now()
    event = not_added_event(trunk, to, from_, now)
    try:
        if deps.stores.trunk_limits.tell_once(trunk.trunk_id, printable(to), now, event):
            log.info("number not added", extra={"trunk_id": trunk.trunk_id, "to": printable(to)})
    except Exception:
        log.exception("owner not told", extra={"trunk_id": trunk.trunk_id})


def _facts(did: Did) -> dict[str, object]:
    return {"account_id": did.account_id, "trunk_id": did.trunk_id, "number": did.e164}
