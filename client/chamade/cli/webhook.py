"""`chamade webhook …`: URLs of yours to which events are posted."""

from __future__ import annotations

from itertools import islice

import click

from chamade.cli.common import Session, verb
from chamade.cli.tables import Column

group = click.Group("webhook", help="URLs of yours to which events are posted.")

COLUMNS = [
    Column("id", lambda one: one.endpoint_id),
    Column("url", lambda one: one.url),
    Column("events", lambda one: " ".join(one.events), 2),
    Column("enabled", lambda one: one.enabled, 1),
    Column("label", lambda one: one.label, 3),
]
DELIVERY_COLUMNS = [
    Column("id", lambda one: one.delivery_id),
    Column("type", lambda one: one.type, 1),
    Column("state", lambda one: one.state),
    Column("status", lambda one: one.status, 2),
    Column("tries", lambda one: one.attempts, 4),
    Column("created", lambda one: one.created_at, 3),
    Column("error", lambda one: one.error, 5),
]


@verb(group, "list")
def list_endpoints(session: Session) -> None:
    """List your endpoints."""
    session.out.rows(session.client.webhooks.list(), COLUMNS, "No endpoints.")


@verb(group, "create")
@click.argument("url")
@click.option("--event", "events", multiple=True, help="call.ringing, call.*; all without it.")
@click.option("--label")
def create(session: Session, url: str, events: tuple[str, ...], label: str | None) -> None:
    """Have events posted to URL. Shows the secret, this once."""
    made = session.client.webhooks.create(url, events=events or None, label=label)
    session.out.made(made, ("id", made.endpoint_id), ("secret", made.secret))


@verb(group, "delete")
@click.argument("endpoint_id")
def delete(session: Session, endpoint_id: str) -> None:
    """Post nothing there any more."""
    session.client.webhooks.delete(endpoint_id)
    session.out.done(f"{endpoint_id} deleted")


@verb(group, "test")
@click.argument("endpoint_id")
def test(session: Session, endpoint_id: str) -> None:
    """Post a webhook.test there; `deliveries` shows what came of it."""
    delivery = session.client.webhooks.test(endpoint_id)
    session.out.one(delivery, delivery.delivery_id, delivery.state)


@verb(group, "rotate")
@click.argument("endpoint_id")
@click.option("--overlap", type=int, metavar="S", help="How long the old secret signs, too.")
def rotate(session: Session, endpoint_id: str, overlap: int | None) -> None:
    """Make a new secret. Shows it, this once."""
    made = session.client.webhooks.rotate_secret(endpoint_id, overlap_s=overlap)
    session.out.made(made, ("secret", made.secret))


@verb(group, "deliveries")
@click.argument("endpoint_id")
@click.option("--state", help="Only those in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def deliveries(session: Session, endpoint_id: str, state: str | None, limit: int) -> None:
    """List what was posted to an endpoint, newest first."""
    found = islice(session.client.webhooks.deliveries(endpoint_id, state=state), limit)
    session.out.rows(list(found), DELIVERY_COLUMNS, "Nothing was posted there.")


@verb(group, "replay")
@click.argument("endpoint_id")
@click.argument("delivery_id")
def replay(session: Session, endpoint_id: str, delivery_id: str) -> None:
    """Post something again."""
    delivery = session.client.webhooks.replay(endpoint_id, delivery_id)
    session.out.one(delivery, delivery.delivery_id, delivery.state)
