"""Texts are divided into sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.core.sentences import MOST, divide


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello. How are you?", ["Hello.", "How are you?"]),
        ("It costs 3.50 euros. Fine?", ["It costs 3.50 euros.", "Fine?"]),
        (
            "Dr. Smith met J. Doe at 5 p.m. today.",
            ["Dr. Smith met J. Doe at 5 p.m. today."],
        ),
        ("We close at 5 p.m. Please hurry.", ["We close at 5 p.m.", "Please hurry."]),
        ("Bring pens, paper, etc. Then come.", ["Bring pens, paper, etc.", "Then come."]),
        ("Take fruit, e.g. apples. Or not!", ["Take fruit, e.g. apples.", "Or not!"]),
        ("Write to ann@example.com now. Thanks.", ["Write to ann@example.com now.", "Thanks."]),
        ("Well... let me see. Yes!", ["Well...", "let me see.", "Yes!"]),
        ('"Really?" he said. "No."', ['"Really?"', "he said.", '"No."']),
        ("1. Milk\n2. Bread", ["1. Milk", "2. Bread"]),
        ("Your code is 4 2. Repeat it.", ["Your code is 4 2.", "Repeat it."]),
        ("no stop at all", ["no stop at all"]),
        ("\u4f60\u597d\u3002\u518d\u89c1\u3002", ["\u4f60\u597d\u3002", "\u518d\u89c1\u3002"]),
        ("... !", []),
        ("", []),
    ],
)
def test_a_sentence_ends_where_a_reader_would_end_it(text, sentences):
    assert [each.text for each in divide(text)] == sentences


def test_a_long_sentence_is_divided_at_a_comma():
    text = "This is the first part, " * 20
    pieces = divide(text)
    assert all(len(each.text) <= MOST for each in pieces)
    assert all(each.text.endswith(",") for each in pieces)


@given(st.text(alphabet=st.sampled_from("ab1 .,!?\n\u3002'\""), max_size=700))
def test_no_letter_is_lost_and_places_fit_the_text(text):
    pieces = divide(text)
    assert all(text[each.start : each.end].strip() == each.text for each in pieces)
    assert all(len(each.text) <= MOST for each in pieces)
    said = "".join(each.text for each in pieces)
    assert [c for c in said if c.isalnum()] == [c for c in text if c.isalnum()]
    starts = [each.start for each in pieces]
    assert starts == sorted(starts)
