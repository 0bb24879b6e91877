"""A simulation of the table's stream and the delivery state machine, on a `World` whose clock is
moved."""

from __future__ import annotations

import functools
from typing import Any

from chalicelib.domain.call import Call
from chalicelib.domain.delivery import Answer, Delivery, DeliveryState
from chalicelib.domain.endpoint import Endpoint, NewEndpoint
from chalicelib.services.delivery import delivery_tries, endpoints, fan_out
from tests.support.world import World

URL = "https://receiver.test/hook"


def status(code: int, text: str = "", retry_after: str | None = None) -> Answer:
    """Return an endpoint's answer."""
    return Answer(code, 3, text, retry_after)


def record(world: World, item: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """Return the record in the table's stream of an item that was put."""
    image = world.table._marshal(item)
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "SequenceNumber": f"{number:021d}",
            "Keys": {name: image[name] for name in ("pk", "sk")},
            "NewImage": image,
        },
    }


class DeliveryHarness:
    """A harness that brings the events of a world's account to its endpoints, as the engine
    does."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.clock.advance(0.001)  # events of making the world do not go to the endpoints
        self._streamed: set[str] = set()
        self._executed: set[tuple[str, int]] = set()

    def endpoint(self, account_id: str | None = None, **fields: Any) -> tuple[Endpoint, str]:
        """Make an endpoint of the account; return it and its secret."""
        given = NewEndpoint.model_validate({"url": URL, **fields})
        return endpoints.create(self.world.deps, account_id or self.world.account_id, given)

    def receive_call(self, endpoint: Endpoint) -> tuple[Call, Delivery]:
        """Have a call come in; return it and its delivery."""
        self.world.clock.advance(0.001)  # deliveries of one moment have no order
        call = self.world.ringing()
        self.stream()
        return call, self.deliveries(endpoint)[-1]

    def outbox(self, account_id: str | None = None) -> list[dict[str, Any]]:
        """Return the contents of the account's outbox."""
        return self.world.table.query(f"ACCOUNT#{account_id or self.world.account_id}#OUTBOX")[0]

    def stream(self, *others: str) -> list[str]:
        """Hand out the events written since the last time, of this account and of `others`; return
        the names of those that failed."""
        written = [item for each in (None, *others) for item in self.outbox(each)]
        items = [item for item in written if item["sk"] not in self._streamed]
        items.sort(key=lambda item: str(item["sk"]))
        self._streamed |= {item["sk"] for item in items}
        events = self.world.stores.events
        return fan_out.hand_out(
            self.world.deps,
            [
                (
                    item["sk"],
                    functools.partial(events.streamed, record(self.world, item)["dynamodb"]),
                )
                for item in items
            ],
        )

    def run_executions(self) -> None:
        """Run all executions to their end, in the order in which they wake."""
        waiting: list[tuple[int, Delivery]] = []
        while True:
            sent, self.world.scheduler.sent = self.world.scheduler.sent, []
            for delivery in sent:
                key = (delivery.delivery_id, delivery.run)
                if key not in self._executed:
                    self._executed.add(key)
                    waiting.append((self.world.clock.ms, delivery))
            if not waiting:
                return
            waiting.sort(key=lambda each: each[0])
            wakes, delivery = waiting.pop(0)
            self.world.clock.ms = max(self.world.clock.ms, wakes)
            standing = self.attempt(delivery)
            if standing.state == DeliveryState.PENDING:
                assert standing.next_at is not None
                waiting.append((standing.next_at, delivery))

    def attempt(self, delivery: Delivery) -> delivery_tries.DeliveryStatus:
        """Make an attempt, as the state machine's task does."""
        return delivery_tries.attempt(
            self.world.deps,
            delivery.account_id,
            delivery.endpoint_id,
            delivery.delivery_id,
            delivery.run,
        )

    def deliveries(self, endpoint: Endpoint) -> list[Delivery]:
        """Return all deliveries of an endpoint, oldest first."""
        found, _ = self.world.stores.deliveries.page(
            endpoint.endpoint_id, state=None, limit=1000, after=None
        )
        return found[::-1]

    def reread(self, delivery: Delivery) -> Delivery:
        """Return the delivery as it is now."""
        current = self.world.stores.deliveries.get(delivery.endpoint_id, delivery.delivery_id)
        assert current is not None
        return current
