"""`chamade-admin number …`: the pool of numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from chalicelib.domain.line import Line
from chalicelib.services.line import number_pool, numbers
from chalicelib.services.line.number_pool import NotInPool, NumberClaimed, UnknownProvider
from chalicelib.services.line.numbers import UnknownNumber
from operations.shell import CONFLICT, NOT_FOUND, USAGE, Failure, Session, verb

group = click.Group("number", help="The pool of numbers.")

COLUMNS = ("e164", "country", "provider", "account_id", "activated_at")


@verb(group, "list")
@click.option("--country", metavar="XX")
@click.option("--free", is_flag=True, help="Those that nobody holds.")
def list_numbers(session: Session, country: str | None, free: bool) -> None:
    """List all numbers, and who holds them. Reads the whole table."""
    found = [
        line
        for line in number_pool.list_all(session.deps)
        if country in (None, line.country) and not (free and line.account_id)
    ]
    session.rows(map(_shown, found), COLUMNS, "No numbers.")


@verb(group, "show")
@click.argument("e164")
def show(session: Session, e164: str) -> None:
    """Show a number, and who has it."""
    session.one(_shown(_line(session, e164)))


@verb(group, "add")
@click.argument("e164", nargs=-1)
@click.option("--country", metavar="XX", help="ISO code, of those named as arguments.")
@click.option("--provider", default="gateway", show_default=True)
@click.option(
    "--file", "source", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV: number, country and, if it is another, provider.",
)  # fmt: skip
def add(
    session: Session, e164: tuple[str, ...], country: str | None, provider: str, source: Path | None
) -> None:
    """Put numbers into the pool. Their calls have to be announced to us: set that at the provider
    (`doctor` looks).
    """
    if bool(e164) == bool(source) or (e164 and not country):
        raise Failure("give numbers and --country, or --file", USAGE)
    rows = _read(source, provider) if source else [(each, str(country), provider) for each in e164]
    added = known = 0
    claimed = number_pool.claims(session.deps)
    for row in rows:
        try:
            new = number_pool.add(session.deps, *row, claimed)
        except NumberClaimed as error:
            whose = error.account_id or "somebody"
            raise Failure(
                f"{error.e164} is a number or the caller ID of the trunk of {whose}, who has to "
                f"remove it first; {added} were added",
                CONFLICT,
            ) from None
        except (ValidationError, UnknownProvider) as error:
            unknown = isinstance(error, UnknownProvider)
            why = "no such provider here" if unknown else "no E.164 number, or no ISO country"
            raise Failure(f"{','.join(row)}: {why}; {added} were added", USAGE) from None
        added, known = added + new, known + (not new)
    session.done(f"{added} added, {known} known already", added=added, known=known)


@verb(group, "remove")
@click.argument("e164")
def remove(session: Session, e164: str) -> None:
    """Take a number that nobody holds out of the pool."""
    try:
        number_pool.remove(session.deps, e164)
    except NotInPool:
        raise Failure(f"{e164} is held by somebody, or none of ours", CONFLICT) from None
    session.done(f"{e164} removed", e164=e164)


@verb(group, "free")
@click.argument("e164")
def free_number(session: Session, e164: str) -> None:
    """Take a number from who holds it, back into the pool. Its owner is told (number.released)."""
    holder = _line(session, e164).account_id
    if holder is None:
        raise Failure(f"{e164} is free", CONFLICT)
    try:
        numbers.release(session.deps, holder, e164)
    except UnknownNumber:
        raise Failure(f"{e164} was just released", CONFLICT) from None
    session.done(f"{e164} taken from {holder}", e164=e164, account_id=holder)


def _line(session: Session, e164: str) -> Line:
    line = session.deps.stores.lines.get(e164)
    if line is None:
        raise Failure(f"{e164} is none of ours", NOT_FOUND)
    return line


def _read(source: Path, provider: str) -> Iterator[tuple[str, str, str]]:
    with source.open(newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            fields = [field.strip() for field in row]
            if not any(fields) or fields[0].startswith("#"):
                continue
            if len(fields) not in (2, 3):
                raise Failure(f"{source}, line {number}: number, country, provider", USAGE)
            yield fields[0], fields[1], fields[2] if len(fields) == 3 else provider


def _shown(line: Line) -> dict[str, Any]:
    return line.model_dump(mode="json", exclude={"agent_url", "auto_answer"})
