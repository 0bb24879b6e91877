"""Tests that the first hour of docs/aws.md names commands, outputs, alarms and queries that exist,
and costs what the page of costs says.
"""

from __future__ import annotations

import re
import subprocess

import click
import pytest

from infra.queries import of_installation
from infra.settings import Settings, context, from_context
from operations.admin import root
from tests.infra.templates import STACKS
from tests.support.engine import ROOT
from tools.cost import sums

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

PAGE = (ROOT / "docs" / "aws.md").read_text()
HOUR = PAGE.partition("## The first hour\n")[2].partition("\n## ")[0]
COMMANDS = " ".join(re.findall(r"`([^`]+)`", HOUR))


def test_the_first_hour_has_its_steps_in_order():
    rows = re.findall(r"^\| (\d+) \|", HOUR, re.MULTILINE)
    assert rows == [str(number) for number in range(1, len(rows) + 1)]
    wanted = ["make synth", "make bootstrap", "make deploy", "doctor --aws", "account create"]
    places = [HOUR.index(each) for each in wanted]
    assert places == sorted(places)


def test_every_make_target_that_is_named_exists():
    for target in {*re.findall(r"`make ([a-z-]+)`", HOUR)}:
        done = subprocess.run(
            ["make", "-n", "-o", ".venv/.infra", "-o", ".venv/.cdk", "-o", ".venv/.node", target],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (target, done.stderr)


def test_every_command_of_the_operator_s_that_is_named_exists():
    for words in re.findall(r"chamade-admin ([a-z -]+)", COMMANDS):
        command = root
        for word in words.split():
            if word.startswith("--"):
                assert word in {name for each in command.params for name in each.opts}
            elif isinstance(command, click.Group):
                command = command.commands[word]


def test_every_setting_output_alarm_and_query_that_is_named_exists(installed):
    for name in ("domain", "hosted_zone_id", "alarm_email", "monthly_budget_usd", "sip_sources"):
        assert f"`{name}`" in HOUR
        assert name in Settings.model_fields
    outputs = {name for stack in STACKS for name in installed.template(stack).get("Outputs", {})}
    for name in re.findall(r"output `(\w+)`", HOUR):
        assert name in outputs
    alarms = {each["AlarmName"] for each in installed.properties("AWS::CloudWatch::Alarm")}
    assert set(re.findall(r"--alarm-name (\S+)", HOUR)) <= alarms
    queries = {each.name for each in of_installation(from_context(context()["chamade"]))}
    assert set(re.findall(r"saved query \*([^*]+)\*", HOUR)) <= queries
    services = {each["ServiceName"] for each in installed.properties("AWS::ECS::Service")}
    assert set(re.findall(r"chamade-prod-(?:relay|gateway)(?![\w-])", COMMANDS)) <= services


def test_the_hour_costs_what_the_page_of_costs_says():
    month = sum(sums.fixed_costs(0).values())
    [hour] = re.findall(r"The installation costs USD ([\d.]+) an hour", HOUR)
    assert abs(float(hour) - month / 720) < 0.01
    [day] = re.findall(r"USD ([\d.]+) a day in all", HOUR)
    assert abs(float(day) - month / 30) < 0.05


def test_every_step_says_how_long_it_takes_and_the_sum_is_about_an_hour():
    minutes = re.findall(r"^\| \d+ \|.*\| (\d+)\*? \| [\d.]+ \|$", HOUR, re.MULTILINE)
    assert len(minutes) == len(re.findall(r"^\| \d+ \|", HOUR, re.MULTILINE))
    assert 45 <= sum(map(int, minutes)) <= 75
