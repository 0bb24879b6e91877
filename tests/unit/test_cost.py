"""docs/cost.md says what `python -m tools.cost` computes, from counts that were counted."""

from __future__ import annotations

import pytest

from tools import cost


def test_the_doc_has_the_tables_that_are_computed():
    in_doc = cost.DOC.read_text().partition(cost.BEGIN)[2].partition(cost.END)[0]
    assert in_doc.strip() == cost.sections().strip(), "run: python -m tools.cost --write"


def test_a_price_in_steps_is_paid_step_by_step():
    steps = [[100, 3.0], [50, 2.0], [None, 1.0]]
    assert cost.stepped(80, steps) == pytest.approx(240)
    assert cost.stepped(160, steps) == pytest.approx(300 + 100 + 10)
    assert cost.stepped(160, 0.5) == pytest.approx(80)


def test_every_scenario_of_the_mix_was_counted_and_shares_make_a_whole():
    assert set(cost.MIX) <= set(cost.COUNTED)
    assert sum(cost.MIX.values()) == pytest.approx(1)


def test_a_missed_call_costs_its_polls_and_no_media():
    amount = cost.amounts(cost.COUNTED["missed_webhook"], 0)
    terms = cost.terms(amount)
    assert amount["requests"] > 60
    assert terms["data to the Internet"] == terms["relays (Fargate)"] == 0
    assert terms["API Gateway"] == pytest.approx(amount["requests"] * 3.5e-6)
