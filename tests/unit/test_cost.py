"""Tests that docs/cost.md matches the output of `python -m tools.cost`, from committed counts."""

from __future__ import annotations

import pytest

from tools.cost import sums, tables


def test_the_document_has_the_computed_tables():
    in_doc = tables.DOC.read_text().partition(tables.BEGIN)[2].partition(tables.END)[0]
    assert in_doc.strip() == tables.sections().strip(), "run: python -m tools.cost --write"


def test_a_tiered_price_is_charged_tier_by_tier():
    steps = [[100, 3.0], [50, 2.0], [None, 1.0]]
    assert sums.stepped(80, steps) == pytest.approx(240)
    assert sums.stepped(160, steps) == pytest.approx(300 + 100 + 10)
    assert sums.stepped(160, 0.5) == pytest.approx(80)


def test_every_scenario_of_the_mix_is_counted_and_the_shares_add_up_to_one():
    assert set(sums.MIX) <= set(sums.COUNTED)
    assert sum(sums.MIX.values()) == pytest.approx(1)


def test_a_missed_call_costs_its_polls_and_no_media():
    amount = sums.amounts(sums.COUNTED["missed_webhook"], 0)
    terms = sums.terms(amount)
    assert amount["requests"] > 6
    assert terms["data to the Internet"] == terms["relays (Fargate)"] == 0
    assert terms["API Gateway"] == pytest.approx(amount["requests"] * 3.5e-6)
