"""Tests of the choice of a trunk: by name, by host, by the number to call as."""

from __future__ import annotations

import pytest

from chalicelib.domain.dial_rules import NotDialled, parse_target
from chalicelib.domain.trunk_choice import choose_trunk
from tests.unit.domain.trunks import trunk

NUMBER = "+33199001234"
CARRIER = "sip.carrier.example"


def named(name, **settings):
    return trunk(**settings).model_copy(update={"name": name})


MAIN, BACKUP = named("main"), named("backup")
OTHER = named("other", host="pbx.example", realm="home.example")
ALL = [MAIN, BACKUP, OTHER]


def choose(host=CARRIER, name=None, has=None, trunks=ALL, scheme="sip"):
    target = parse_target(f"{scheme}:{NUMBER}@{host}", MAIN)
    return choose_trunk(target, trunks, name, has).name


def refusal(**options):
    with pytest.raises(NotDialled) as refused:
        choose(**options)
    return refused.value.code, refused.value.detail


def test_main_is_chosen_among_trunks_of_the_host():
    assert choose() == "main"


def test_the_first_by_name_is_chosen_without_a_main():
    assert choose(trunks=[BACKUP, OTHER]) == "backup"


def test_the_trunk_of_the_host_or_realm_is_chosen():
    assert (choose("pbx.example"), choose("Home.Example")) == ("other", "other")


def test_the_trunk_that_has_the_caller_id_is_chosen_among_those_of_the_host():
    assert choose(has=lambda each: each.name == "backup") == "backup"
    assert choose(has=lambda each: each.name == "other") == "main"
    assert choose(has=lambda _: False) == "main"


def test_a_trunk_is_chosen_by_its_name():
    assert choose(name="backup") == "backup"
    code, detail = refusal(name="third")
    assert (code, "main, backup, other" in detail) == ("no_trunk", True)


def test_the_host_has_to_be_the_named_trunks():
    code, detail = refusal(host="pbx.example", name="backup")
    assert (code, f"sip:{NUMBER}@{CARRIER}" in detail) == ("wrong_host", True)


def test_a_foreign_host_is_refused_with_all_that_may_be_used():
    code, detail = refusal(host="elsewhere.example")
    assert code == "wrong_host"
    assert f"sip:{NUMBER}@{CARRIER} or sip:{NUMBER}@pbx.example" in detail
    assert refusal(host="elsewhere.example", trunks=[MAIN])[0] == "wrong_host"


def test_a_trunk_with_tls_is_chosen_for_sips():
    secure = named("secure", transport="tls")
    assert choose(trunks=[MAIN, secure], scheme="sips") == "secure"
    code, detail = refusal(trunks=[MAIN, BACKUP], scheme="sips")
    assert (code, "asks for TLS" in detail) == ("wrong_host", True)


def test_an_account_without_trunks_is_told_so():
    assert refusal(trunks=[])[0] == "no_trunk"
