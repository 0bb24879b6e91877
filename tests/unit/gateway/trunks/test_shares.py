"""Tests of the registry of one process of several: it registers its share, and knows the rest."""

from __future__ import annotations

from gateway.share import Share
from gateway.trunks import registry as module
from tests.unit.gateway.control_server import trunk_id

SHARE = Share(0, 3)
IDS = [trunk_id(number) for number in range(30)]
OURS = {each for each in IDS if SHARE.owns(each)}


async def seen(host, count):
    return [await host.next() for _ in range(count)]


async def test_a_process_registers_its_share_first_and_recognises_the_others(server, begin, host):
    for each in IDS:
        server.put(each)
    trunks = begin(share=SHARE)
    happened = await seen(host, len(IDS))
    assert {each for what, each, _ in happened if what == "apply"} == OURS
    assert {each for what, each, _ in happened if what == "recognise"} == set(IDS) - OURS
    fetched = [sent["trunk_id"] for path, sent in server.requests if path.endswith("fetch")]
    assert set(fetched[: len(OURS)]) == OURS
    assert {state.trunk_id for state in trunks.states()} == OURS
    assert trunks.by_status() == {"registering": len(OURS)}
    assert all(trunks.get(each) is not None for each in IDS)
    reported = {(await server.report())["trunk_id"] for _ in OURS}
    assert reported == OURS


async def test_the_others_are_fetched_little_by_little(server, begin, host, monkeypatch):
    monkeypatch.setattr(module, "_OTHERS_AT_ONCE", 4)
    for each in IDS:
        server.put(each)
    begin(share=SHARE)
    assert len(await seen(host, len(IDS))) == len(IDS)
    assert server.paths().count("fetch") == len(IDS)
    assert server.paths().count("list") == 1


async def test_a_trunk_of_another_process_is_changed_and_dropped_and_never_reported(
    server, begin, host
):
    other = next(iter(set(IDS) - OURS))
    server.put(other)
    trunks = begin(share=SHARE)
    assert await host.next() == ("recognise", other, 1)
    server.put(other, revision=2, host="other.example")
    trunks.changed(other)
    assert await host.next() == ("recognise", other, 2)
    trunks.on_status(other, 2, "failed", 403, "Forbidden")
    server.put(other, revision=3, host="bad host")
    trunks.changed(other)
    assert await host.next() == ("drop", other)
    del server.trunks[other]
    assert server.reports.empty()
    assert trunks.states() == []


async def test_a_change_of_a_trunk_of_ours_does_not_wait_for_all_the_others(
    server, begin, host, monkeypatch
):
    monkeypatch.setattr(module, "_OTHERS_AT_ONCE", 1)
    for each in set(IDS) - OURS:
        server.put(each)
    trunks = begin(share=SHARE)
    assert (await host.next())[0] == "recognise"
    mine = next(iter(OURS))
    server.put(mine)
    trunks.changed(mine)
    happened = await seen(host, len(IDS) - len(OURS))
    assert ("apply", mine, 1) in happened
