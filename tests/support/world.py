"""The application on the engine with the outside replaced at its edge: a provider that only notes
what it is told, a timer that only notes what it should start, a clock that stands still.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.call import Call
from chalicelib.domain.delivery import Answer, Delivery
from chalicelib.domain.did import Did, NewDid
from chalicelib.domain.line import Line
from chalicelib.domain.trunk import Trunk, TrunkStatus
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.providers.base import Dial, Instruction, ProviderError, RemoteStatus
from chalicelib.services import accounts, dial, dids, numbers, ring, trunks
from chalicelib.services.ports import Ports
from chalicelib.store.accounts import AccountStore
from chalicelib.store.calls import CallStore
from chalicelib.store.deliveries import DeliveryStore
from chalicelib.store.dialling import DiallingStore
from chalicelib.store.dids import DidStore
from chalicelib.store.endpoints import EndpointStore
from chalicelib.store.events import EventStore
from chalicelib.store.idempotency import IdempotencyStore
from chalicelib.store.lines import LineStore
from chalicelib.store.rate_limits import RateLimitStore
from chalicelib.store.table import Table
from chalicelib.store.trunk_limits import TrunkLimits
from chalicelib.store.trunks import TrunkStore
from chalicelib.store.vault import KeyFileVault

_counter = itertools.count(1)

CALLEE = "+33199001234"
"""Reserved for fiction, and valid for libphonenumber, as every number that is dialled must be."""


@dataclass
class NotedProvider:
    """Notes what it is told; `strict` takes instructions only when it asks, `down` fails.

    `meanwhile` runs when a call is being placed, with its order and id, before the answer.
    """

    name: str = "gateway"
    strict: bool = False
    down: bool = False
    trusts: bool = True
    remote: RemoteStatus = RemoteStatus.LIVE
    steered: list[tuple[str, Instruction]] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    dialled: list[Dial] = field(default_factory=list)
    meanwhile: Callable[[Dial, str], None] | None = None

    def signed(
        self, kind: str, call_id: str | None, form: Mapping[str, str], signature: str | None
    ) -> bool:
        return self.trusts

    def handshake_signed(self, url: str, signature: str | None) -> bool:
        return signature == "good"

    def document(self, instruction: Instruction, call_id: str | None = None) -> str:
        return repr(instruction)

    def dial(self, dial: Dial) -> str:
        self.dialled.append(dial)
        sid = f"CA{next(_counter):032d}"
        if self.meanwhile:
            self.meanwhile(dial, sid)
        if self.down:
            raise ProviderError("down")
        return sid

    def steer(self, provider_call_id: str, instruction: Instruction) -> bool:
        if self.down:
            raise ProviderError("down")
        self.steered.append((provider_call_id, instruction))
        return not self.strict

    def hang_up(self, provider_call_id: str) -> None:
        if self.down:
            raise ProviderError("down")
        self.hung_up.append(provider_call_id)

    def status(self, provider_call_id: str) -> RemoteStatus:
        return self.remote


@dataclass
class NotedTimer:
    """Notes the calls whose deadline is to be enforced; `broken` cannot."""

    started: list[str] = field(default_factory=list)
    broken: bool = False
    lost: bool = True

    def start(self, call: Call) -> None:
        if self.broken:
            raise RuntimeError("throttled")
        self.started.append(call.call_id)

    def ensure(self, call: Call, now: int) -> bool:
        if self.lost:
            self.start(call)
        return self.lost


@dataclass
class NotedCourier:
    """Notes the deliveries that it is to carry."""

    sent: list[Delivery] = field(default_factory=list)

    def send(self, delivery: Delivery) -> None:
        self.sent.append(delivery)


@dataclass
class Receiver:
    """Takes what is posted, and answers as `answers` says, the last one over and over."""

    answers: list[Answer] = field(default_factory=lambda: [Answer(200, 3)])
    posted: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.posted.append((url, dict(headers), body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class NotedTrunkHost:
    """Notes the trunks it is told of."""

    told: list[str] = field(default_factory=list)

    def changed(self, trunk_id: str) -> None:
        self.told.append(trunk_id)


class KnownKeyVault(KeyFileVault):
    """Seals for real, with a key that needs no file."""

    _key = b"k" * 32


@dataclass
class Clock:
    """Epoch ms; moves when told."""

    ms: int = 1_790_000_000_000

    def __call__(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


class World:
    """One application with one account that holds one number."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.provider, self.timer, self.clock = NotedProvider(), NotedTimer(), Clock()
        self.trunk_host = NotedTrunkHost()
        self.courier, self.receiver = NotedCourier(), Receiver()
        numbers_of_trunks = DidStore(table)
        self.ports = Ports(
            accounts=AccountStore(table),
            calls=CallStore(table),
            deliveries=DeliveryStore(table),
            dialling=DiallingStore(table),
            endpoints=EndpointStore(table),
            events=EventStore(table),
            idempotency=IdempotencyStore(table),
            lines=LineStore(table),
            rate_limits=RateLimitStore(table),
            dids=numbers_of_trunks,
            trunks=TrunkStore(table, numbers_of_trunks),
            trunk_limits=TrunkLimits(table),
            timer=self.timer,  # type: ignore[arg-type]
            courier=self.courier,  # type: ignore[arg-type]
            poster=self.receiver,
            providers={"gateway": self.provider},
            now=self.clock,
            pause=self.clock.advance,
            token_secret="a secret of the tests",
            relay_url="ws://relay.test",
            vault=KnownKeyVault("known"),
            trunk_host=self.trunk_host,
        )
        self.account_id, self.key = self.new_account()
        self.number = self.new_number(self.account_id)

    def new_account(self) -> tuple[str, str]:
        account, key = accounts.create_account(self.ports, "Test")
        return account.account_id, key

    def new_number(self, account_id: str, country: str | None = None) -> str:
        """A number from a pool of one, of a country that no test fills (ISO 3166 user-assigned)."""
        serial = next(_counter)
        country = country or f"X{chr(65 + serial % 26)}"
        e164 = f"+1555{serial:07d}"
        self.ports.lines.add_to_pool(Line(e164=e164, country=country, provider="gateway"))
        return numbers.activate(self.ports, account_id, country).e164

    def new_trunk(self, account_id: str | None = None, **settings: Any) -> Trunk:
        """An account's trunk, just connected; `settings` as in the body of `PUT /api/trunk`."""
        given = {"host": "sip.carrier.example", "username": "acct42", "password": "s3cret-pw"}
        wish = TrunkSettings.model_validate({**given, **settings})
        return trunks.connect(self.ports, account_id or self.account_id, wish)[0]

    def new_did(self, e164: str, account_id: str | None = None, **settings: Any) -> Did:
        """A number added to an account's trunk."""
        wish = NewDid.model_validate({"e164": e164, **settings})
        return dids.add(self.ports, account_id or self.account_id, wish)

    def called(self, trunk: Trunk, e164: str) -> ring.Incoming:
        """A call to the number that the trunk brought."""
        incoming = replace(self.incoming(e164), trunk_id=trunk.trunk_id)
        ring.receive(self.ports, incoming)
        return incoming

    def registered(self, account_id: str | None = None, **settings: Any) -> Trunk:
        """An account's trunk that is registered, with a French caller ID."""
        trunk = self.new_trunk(account_id, **{"caller_id": "+33199005678", **settings})
        if trunk.provider == "gateway":
            self.trunk_is(trunk, TrunkStatus.REGISTERED, 200)
        self.clock.advance(0.001)  # events of different things have an order only in time
        return trunk

    def trunk_is(self, trunk: Trunk, status: TrunkStatus, code: int | None, why: str = "") -> None:
        """The gateway reports how the trunk's registration is doing."""
        trunks.report(
            self.ports,
            trunk.trunk_id,
            revision=trunk.revision,
            status=status,
            sip_code=code,
            detail=why,
        )

    def dial(self, to: str = CALLEE, account_id: str | None = None, **wish: Any) -> Call:
        """A call dialled out through the account's trunk, which is connected if there is none."""
        account_id = account_id or self.account_id
        if self.ports.trunks.of_account(account_id) is None:
            self.registered(account_id)
        url = f"sip:{to}@sip.carrier.example"
        return dial.dial(self.ports, account_id, dial.Wish(url, **wish))

    def sid(self) -> str:
        return f"CA{next(_counter):032d}"

    def incoming(self, to: str | None = None, sid: str | None = None) -> ring.Incoming:
        return ring.Incoming(
            "gateway", sid or self.sid(), "+33612345678", self.number if to is None else to
        )

    def ringing(self, to: str | None = None) -> Call:
        """A call that just came in."""
        incoming = self.incoming(to)
        ring.receive(self.ports, incoming)
        return self.call_of(incoming)

    def call_of(self, incoming: ring.Incoming) -> Call:
        from chalicelib.domain.call_id import inbound_call_id

        call = self.ports.calls.get(inbound_call_id("gateway", incoming.provider_call_id))
        assert call is not None
        return call

    def now_of(self, call: Call) -> Call:
        """The call as it is now."""
        current = self.ports.calls.get(call.call_id)
        assert current is not None
        return current

    def with_clock(self, clock) -> Ports:
        return replace(self.ports, now=clock)

    def events(self, account_id: str | None = None) -> list[str]:
        """Types of all the account's events, in order."""
        from chalicelib.services import inbox

        found: list[str] = []
        cursor = None
        while True:
            page, cursor = inbox.read(self.ports, account_id or self.account_id, cursor, 0)
            if not page:
                return found
            found += [event.type.value for event in page]
