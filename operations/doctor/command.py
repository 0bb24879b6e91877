"""`chamade-admin doctor`."""

from __future__ import annotations

from dataclasses import asdict

import click

from operations.doctor.examine import examine
from operations.doctor.finding import Finding, Result
from operations.shell import Session, json_option

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skipped": "bright_black"}


@click.command("doctor")
@click.option("--aws", is_flag=True, help="And what was deployed: stacks, services, alarms.")
@json_option
@click.pass_obj
def doctor(session: Session, aws: bool) -> None:
    """Look the installation over. Exit code 1 if anything fails."""
    findings = []
    for finding in examine(session.installation, aws=aws):
        findings.append(finding)
        if not session.as_json:
            _show(finding)
    counts = {each.value: sum(f.result is each for f in findings) for each in Result}
    if session.as_json:
        session.json({"findings": [asdict(finding) for finding in findings], "counts": counts})
    else:
        click.echo(", ".join(f"{count} {result}" for result, count in counts.items()))
    if counts["fail"]:
        raise click.exceptions.Exit(1)


def _show(finding: Finding) -> None:
    result = click.style(f"{finding.result:<7}", fg=_COLOURS[finding.result])
    click.echo(f"{result}  {finding.name}: {finding.seen}")
    if finding.remedy:
        click.echo(f"         -> {finding.remedy}")
