"""Tests that the application gets to know of calls that were refused while it was behind."""

from __future__ import annotations

from gateway.trunks.application import MAX_TRUNKS, ApplicationError
from gateway.trunks.shed import EVERY_MS, Counted, Report, Shed

NOW = 1_800_000_000_000


class FakeApplication:
    def __init__(self):
        self.told, self.fails = [], []

    async def report_shed(self, trunk_id, count, at_ms):
        self.told.append(Report(trunk_id, count, at_ms))
        if self.fails:
            raise self.fails.pop(0)


def shedding(application):
    behind = [True]
    shed = Shed(application, lambda: behind[0])
    return shed, behind


async def test_nothing_is_told_before_the_application_answers_again():
    application = FakeApplication()
    shed, behind = shedding(application)
    for trunk_id in ("a", "b", "a", None):
        shed.counted.count(trunk_id)
    await shed.tell(NOW)
    assert application.told == []
    behind[0] = False
    await shed.tell(NOW + 1)
    assert application.told == [Report("a", 2, NOW + 1), Report("b", 1, NOW + 1)]
    await shed.tell(NOW + 2)
    assert len(application.told) == 2


async def test_a_report_is_repeated_as_it_is_until_it_is_accepted():
    application = FakeApplication()
    application.fails = [
        ApplicationError("timeout", "x"),
        ApplicationError("http_404", "x", final=True),
    ]
    shed, behind = shedding(application)
    behind[0] = False
    shed.counted.count("a")
    await shed.tell(NOW)
    shed.counted.count("a")
    await shed.tell(NOW + 5000)
    await shed.tell(NOW + 10_000)
    assert application.told == [Report("a", 1, NOW)] * 2


def test_a_trunk_is_told_once_a_minute_at_most():
    counted = Counted()
    counted.count("a")
    (first,) = counted.due(NOW)
    counted.accepted(first, NOW)
    counted.count("a")
    counted.count("b")
    (other,) = counted.due(NOW + EVERY_MS - 1)
    assert other.trunk_id == "b"
    counted.accepted(other, NOW + EVERY_MS - 1)
    assert counted.due(NOW + EVERY_MS) == [Report("a", 1, NOW + EVERY_MS)]


def test_the_trunks_that_are_counted_are_bounded():
    counted = Counted()
    for number in range(MAX_TRUNKS + 50):
        counted.count(f"trunk_{number}")
    assert len(counted.due(NOW)) == MAX_TRUNKS
