"""Tests of the Lambda package: its size is bounded, and nothing is missing."""

from __future__ import annotations

import pytest

from tests.package.imports import check_imports
from tools.package import LEFT_OUT, Rules, rows, write

MOST_ZIPPED, MOST_UNZIPPED = 15_000_000, 60_000_000
"""Bytes. Lambda allows 250 MB unzipped; what is loaded at a cold start is paid for by a caller."""


@pytest.fixture(scope="module")
def rules():
    return Rules.read(LEFT_OUT.read_text())


def test_the_package_stays_small(rules):
    found = rows(rules)
    assert sum(row.kept_zipped for row in found) < MOST_ZIPPED
    assert sum(row.kept for row in found) < MOST_UNZIPPED


def test_the_last_matching_pattern_decides():
    rules = Rules.read("# why\n@Some.Name\na/*\n!a/b/*\na/b/c\n")
    assert rules.distributions == {"some-name"}
    kept = [rules.keeps(path) for path in ("a/x", "a/b/x", "a/b/c", "other")]
    assert kept == [False, True, False, True]


def test_everything_the_application_imports_is_in_the_package(rules, tmp_path):
    write(rules, tmp_path)
    check_imports(tmp_path)
