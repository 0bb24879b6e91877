"""The table's stream and the delivery state machine, played on a `World` whose clock is moved."""

from __future__ import annotations

import functools
from typing import Any

from chalicelib.domain.call import Call
from chalicelib.domain.delivery import Answer, Delivery, DeliveryState
from chalicelib.domain.endpoint import Endpoint, NewEndpoint
from chalicelib.services import deliver, endpoints, fan_out
from tests.support.world import World

URL = "https://receiver.test/hook"


def status(code: int, text: str = "", retry_after: str | None = None) -> Answer:
    """An endpoint's answer."""
    return Answer(code, 3, text, retry_after)


def record(world: World, item: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """What the table's stream says of an item that was put."""
    image = world.table._marshal(item)
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "SequenceNumber": f"{number:021d}",
            "Keys": {name: image[name] for name in ("pk", "sk")},
            "NewImage": image,
        },
    }


class PostOffice:
    """Brings the events of a world's account to its endpoints, as the engine does."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.clock.advance(0.001)  # what made the world is not for its endpoints
        self._streamed: set[str] = set()
        self._executed: set[tuple[str, int]] = set()

    def endpoint(self, account_id: str | None = None, **wish: Any) -> tuple[Endpoint, str]:
        """An endpoint of the account and its secret."""
        given = NewEndpoint.model_validate({"url": URL, **wish})
        return endpoints.create(self.world.ports, account_id or self.world.account_id, given)

    def rung(self, endpoint: Endpoint) -> tuple[Call, Delivery]:
        """A call that comes in, and its delivery."""
        self.world.clock.advance(0.001)  # deliveries of one moment have no order
        call = self.world.ringing()
        self.stream()
        return call, self.deliveries(endpoint)[-1]

    def outbox(self) -> list[dict[str, Any]]:
        """What is in the account's outbox."""
        return self.world.table.query(f"ACCOUNT#{self.world.account_id}#OUTBOX")[0]

    def stream(self) -> list[str]:
        """Hand out what was written since; names of what failed."""
        items = [item for item in self.outbox() if item["sk"] not in self._streamed]
        self._streamed |= {item["sk"] for item in items}
        events = self.world.ports.events
        return fan_out.hand_out(
            self.world.ports,
            [
                (
                    item["sk"],
                    functools.partial(events.streamed, record(self.world, item)["dynamodb"]),
                )
                for item in items
            ],
        )

    def carry(self) -> None:
        """Run all executions to their end, in the order in which they wake."""
        waiting: list[tuple[int, Delivery]] = []
        while True:
            sent, self.world.courier.sent = self.world.courier.sent, []
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

    def attempt(self, delivery: Delivery) -> deliver.Standing:
        """What the state machine's task does."""
        return deliver.attempt(
            self.world.ports,
            delivery.account_id,
            delivery.endpoint_id,
            delivery.delivery_id,
            delivery.run,
        )

    def deliveries(self, endpoint: Endpoint) -> list[Delivery]:
        """All of an endpoint's, oldest first."""
        found, _ = self.world.ports.deliveries.page(
            endpoint.endpoint_id, state=None, limit=1000, after=None
        )
        return found[::-1]

    def now_of(self, delivery: Delivery) -> Delivery:
        """The delivery as it is now."""
        current = self.world.ports.deliveries.get(delivery.endpoint_id, delivery.delivery_id)
        assert current is not None
        return current
