"""docs/cost.md says what `python -m tools.cost` computes, from counts that were counted."""

from __future__ import annotations

import pytest

from tools.cost import sums, tables


def test_the_doc_has_the_tables_that_are_computed():
    in_doc = tables.DOC.read_text().partition(tables.BEGIN)[2].partition(tables.END)[0]
    assert in_doc.strip() == tables.sections().strip(), "run: python -m tools.cost --write"


def test_a_price_in_steps_is_paid_step_by_step():
    steps = [[100, 3.0], [50, 2.0], [None, 1.0]]
    assert sums.stepped(80, steps) == pytest.approx(240)
    assert sums.stepped(160, steps) == pytest.approx(300 + 100 + 10)
    assert sums.stepped(160, 0.5) == pytest.approx(80)


def test_every_scenario_of_the_mix_was_counted_and_shares_make_a_whole():
    assert set(sums.MIX) <= set(sums.COUNTED)
    assert sum(sums.MIX.values()) == pytest.approx(1)


def test_a_missed_call_costs_its_polls_and_no_media():
    amount = sums.amounts(sums.COUNTED["missed_webhook"], 0)
    terms = sums.terms(amount)
    assert amount["requests"] > 60
    assert terms["data to the Internet"] == terms["relays (Fargate)"] == 0
    assert terms["API Gateway"] == pytest.approx(amount["requests"] * 3.5e-6)
