"""The application on the engine, with everything outside replaced: a provider and a timer that only
note the requests that they get, and a clock that stands still.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.bootstrap import stores
from chalicelib.domain.call import Call
from chalicelib.domain.delivery import Answer, Delivery
from chalicelib.domain.did import Did, NewDid
from chalicelib.domain.line import Line
from chalicelib.domain.trunk import Trunk, TrunkStatus
from chalicelib.domain.trunk_fields import MAIN
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.providers.base import Dial, Instruction, ProviderError, RemoteStatus
from chalicelib.services.account import accounts
from chalicelib.services.call import dial, inbound
from chalicelib.services.dependencies import Dependencies, Secrets, Settings, Stores, Timers
from chalicelib.services.line import dids, gateway_trunks, numbers, trunks
from chalicelib.services.operator import account_admin
from chalicelib.store.places import MAX_PLACES
from chalicelib.store.table import Table
from chalicelib.store.vault import KeyFileVault

_counter = itertools.count(1)

CALLEE = "+33199001234"
"""Reserved for fiction, and valid for libphonenumber, as every number that is dialled must be."""
MEDIA_SECRET = "the secret of audio tokens"


@dataclass
class RecordingProvider:
    """A provider that records its requests; `strict` takes instructions only when it asks, `down`
    fails.

    `meanwhile` runs when a call is being placed, with its order and id, before the answer.
    """

    name: str = "gateway"
    strict: bool = False
    down: bool = False
    trusts: bool = True
    refers: bool = False
    detects_answer: bool = False
    remote: RemoteStatus = RemoteStatus.LIVE
    steered: list[tuple[str, Instruction]] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    dialled: list[Dial] = field(default_factory=list)
    referred: list[tuple[str, str]] = field(default_factory=list)
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

    def hang_up(self, provider_call_id: str, *, answered: bool) -> None:
        if self.down:
            raise ProviderError("down")
        self.hung_up.append(provider_call_id)
        if not answered:
            self.canceled.append(provider_call_id)

    def refer(self, provider_call_id: str, to: str) -> None:
        if self.down:
            raise ProviderError("down")
        self.referred.append((provider_call_id, to))

    def status(self, provider_call_id: str) -> RemoteStatus:
        return self.remote


@dataclass
class RecordingTimer:
    """A timer that records the calls whose deadline is to be enforced; with `broken` it fails."""

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
class RecordingScheduler:
    """A scheduler that records the deliveries whose execution is to start."""

    sent: list[Delivery] = field(default_factory=list)

    def send(self, delivery: Delivery) -> None:
        self.sent.append(delivery)


@dataclass
class Receiver:
    """A receiver of posts, which answers with `answers` in order, and repeats the last one."""

    answers: list[Answer] = field(default_factory=lambda: [Answer(200, 3)])
    posted: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.posted.append((url, dict(headers), body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class RecordingTrunkHost:
    """A trunk host that records the trunks whose change it is notified of."""

    notified: list[str] = field(default_factory=list)
    divided_at: list[list[str]] = field(default_factory=list)

    def changed(self, trunk_id: str) -> None:
        self.notified.append(trunk_id)

    def divided(self, urls: Sequence[str]) -> None:
        self.divided_at.append(list(urls))


class KnownKeyVault(KeyFileVault):
    """A vault that really seals, with a key that needs no file."""

    _key = b"k" * 32


@dataclass
class Clock:
    """A clock in epoch ms that moves only when told."""

    ms: int = 1_790_000_000_000

    def __call__(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


def with_settings(deps: Dependencies, **settings: Any) -> Dependencies:
    """Return `deps` with some of the operator's settings changed."""
    return replace(deps, settings=replace(deps.settings, **settings))


class World:
    """An application with one account that holds one number."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.provider, self.timer, self.clock = RecordingProvider(), RecordingTimer(), Clock()
        self.trunk_host = RecordingTrunkHost()
        self.scheduler, self.receiver = RecordingScheduler(), Receiver()
        self.deps = Dependencies(
            stores=stores(table),
            timers=Timers(self.timer, self.scheduler),  # type: ignore[arg-type]
            providers={"gateway": self.provider},
            poster=self.receiver,
            now=self.clock,
            pause=self.clock.advance,
            secrets=Secrets("a secret of the tests", MEDIA_SECRET),
            settings=Settings(relay_url="ws://relay.test"),
            vault=KnownKeyVault("known"),
            trunk_host=self.trunk_host,
        )
        self.account_id, self.key = self.new_account()
        self.number = self.new_number(self.account_id)

    @property
    def stores(self) -> Stores:
        """The stores of the world's table."""
        return self.deps.stores

    def new_account(self) -> tuple[str, str]:
        account, key = accounts.create_account(self.deps, "Test")
        return account.account_id, key

    def allow_many_calls(self) -> None:
        """Raise the account's limit of calls to the highest that an operator can set."""
        limits = {"max_concurrent_calls": MAX_PLACES, "rate_factor": 1000}
        account_admin.set_limits(self.deps, self.account_id, limits)

    def new_number(self, account_id: str, country: str | None = None) -> str:
        """Activate a number from a pool of one, of a country that no test fills (ISO 3166
        user-assigned)."""
        serial = next(_counter)
        country = country or f"X{chr(65 + serial % 26)}"
        e164 = f"+1555{serial:07d}"
        self.deps.stores.lines.add_to_pool(Line(e164=e164, country=country, provider="gateway"))
        return numbers.activate(self.deps, account_id, country).e164

    def new_trunk(
        self, account_id: str | None = None, *, name: str = MAIN, **settings: Any
    ) -> Trunk:
        """Connect an account's trunk; `settings` as in the body of `PUT /api/trunk`."""
        given = {"host": "sip.carrier.example", "username": "acct42", "password": "s3cret-pw"}
        trunk_settings = TrunkSettings.model_validate({**given, **settings})
        return trunks.connect(self.deps, account_id or self.account_id, trunk_settings, name)[0]

    def new_did(
        self, e164: str, account_id: str | None = None, *, name: str = MAIN, **settings: Any
    ) -> Did:
        """Add a number to an account's trunk."""
        new_did = NewDid.model_validate({"e164": e164, **settings})
        return dids.add(self.deps, account_id or self.account_id, new_did, name)

    def call_number(self, trunk: Trunk, e164: str) -> inbound.Incoming:
        """Have a call to a number of the trunk come in; return it."""
        incoming = replace(self.incoming(e164), trunk_id=trunk.trunk_id)
        inbound.receive(self.deps, incoming)
        return incoming

    def register_trunk(self, account_id: str | None = None, **settings: Any) -> Trunk:
        """Connect an account's trunk that is registered, with a French caller ID."""
        trunk = self.new_trunk(account_id, **{"caller_id": "+33199005678", **settings})
        if trunk.provider == "gateway":
            self.report_trunk(trunk, TrunkStatus.REGISTERED, 200)
        self.clock.advance(0.001)  # events of different things are ordered only by their time
        return trunk

    def report_trunk(
        self, trunk: Trunk, status: TrunkStatus, code: int | None, why: str = ""
    ) -> None:
        """Report the state of the trunk's registration, as the gateway does."""
        gateway_trunks.report(
            self.deps,
            trunk.trunk_id,
            revision=trunk.revision,
            status=status,
            sip_code=code,
            detail=why,
        )

    def dial(self, to: str = CALLEE, account_id: str | None = None, **options: Any) -> Call:
        """Dial a call through the account's trunk, which is connected if there is none."""
        account_id = account_id or self.account_id
        if self.deps.stores.trunks.of_account(account_id) is None:
            self.register_trunk(account_id)
        url = f"sip:{to}@sip.carrier.example"
        return dial.dial(self.deps, account_id, dial.DialRequest(url, **options))

    def sid(self) -> str:
        return f"CA{next(_counter):032d}"

    def incoming(self, to: str | None = None, sid: str | None = None) -> inbound.Incoming:
        return inbound.Incoming(
            "gateway", sid or self.sid(), "+33612345678", self.number if to is None else to
        )

    def ringing(self, to: str | None = None) -> Call:
        """Have a call come in; return it."""
        incoming = self.incoming(to)
        inbound.receive(self.deps, incoming)
        return self.call_of(incoming)

    def call_of(self, incoming: inbound.Incoming) -> Call:
        from chalicelib.domain.call_id import inbound_call_id

        call = self.deps.stores.calls.get(inbound_call_id("gateway", incoming.provider_call_id))
        assert call is not None
        return call

    def reread(self, call: Call) -> Call:
        """Return the call as it is now."""
        current = self.deps.stores.calls.get(call.call_id)
        assert current is not None
        return current

    def with_clock(self, clock) -> Dependencies:
        return replace(self.deps, now=clock)

    def events(self, account_id: str | None = None) -> list[str]:
        """Return the types of all the account's events, in order."""
        from chalicelib.services import inbox

        found: list[str] = []
        cursor = None
        while True:
            page, cursor = inbox.read(self.deps, account_id or self.account_id, cursor, 0)
            if not page:
                return found
            found += [event.type.value for event in page]
