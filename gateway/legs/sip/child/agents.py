"""The user agents of a child: one for each trunk, and those for calls that belong to no trunk.

The agent of a trunk registers it, dials for it and takes its calls. Each call carries its own
caller ID, so a trunk needs no agent for each of them. An agent that is no longer used is destroyed
as soon as its calls are over, and its handle is freed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from baresip import Account, BaresipError, Call, Event, Runtime, StackEvent, UserAgent
from baresip._native import lib

from gateway.legs.sip.child import native
from gateway.legs.sip.child_settings import ChildSettings

_DECLINE = 603

OnIncoming = Callable[[Call, str | None], None]


@dataclass(frozen=True, slots=True)
class TrunkAccount:
    """A trunk, with the fields that the stack needs."""

    trunk_id: str
    revision: int
    host: str
    address: str
    """The checked address at which the host is reached."""
    port: int
    transport: str
    username: str
    password: str
    realm: str | None

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> TrunkAccount:
        """Return the trunk of a `trunk` command."""
        return cls(**{name: message[name] for name in cls.__slots__})

    @property
    def domain(self) -> str:
        """Return the part after the @: the realm, or else the host."""
        return self.realm or (f"[{self.host}]" if ":" in self.host else self.host)

    @property
    def authority(self) -> str:
        """Return the address to send to, `address:port`, as in a URI: IPv6 in brackets.

        With TLS it is the host's name, because the certificate is checked against it: a server
        elsewhere does not have the certificate for that name.
        """
        host = self.host if self.transport == "tls" else self.address
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        """Return whether encrypted audio is offered.

        Its keys are secret only if SIP is encrypted.
        """
        return self.transport == "tls"

    def __repr__(self) -> str:
        return f"TrunkAccount({self.trunk_id}, revision {self.revision})"


@dataclass(eq=False, slots=True)
class Agent:
    """A user agent of the stack. `trunk_id` is None for an agent that takes strangers' calls."""

    handle: int
    trunk_id: str | None
    on_register: Callable[[StackEvent], None] | None = None
    """Called with each outcome of a registration."""


class Agents:
    """The agents of the stack: makes and frees them, and finds the agent of an event."""

    def __init__(
        self,
        runtime: Runtime,
        stack: native.StackThread,
        settings: ChildSettings,
        on_incoming: OnIncoming,
    ) -> None:
        self._runtime = runtime
        self._stack = stack
        self._settings = settings
        self._on_incoming = on_incoming
        self._agents: dict[int, Agent] = {}
        """The agents by handle."""
        self._left: dict[int, Agent] = {}
        """Agents that are destroyed when their calls are over."""
        self._tasks: set[asyncio.Task[None]] = set()
        runtime.subscribe(self._happened)

    def __len__(self) -> int:
        return len(self._agents)

    async def open(self) -> None:
        """Make the agents for calls without a trunk: from softphones, or passed on by the edge."""
        for transport in ("udp", "tcp"):  # an agent takes only its own transport's calls
            account = Account(
                "gateway",
                self._settings.host,
                "",
                reg_interval=0,
                transport=transport,
                extra_params=("catchall=yes", "mediaenc=srtp"),
            )
            await self._make(account, None, "gateway")

    async def make(self, trunk: TrunkAccount) -> Agent:
        """Make an agent for a trunk. Raises BaresipError or ValueError if that fails.

        Its contact is random, and only the registrar learns it: the calls that the agent dials and
        takes show the user name.
        """
        account = Account(
            trunk.username,
            trunk.domain,
            trunk.password,
            auth_user=trunk.username,
            registrar=self._next_hop(trunk),
            reg_interval=self._settings.register_interval,
            extra_params=("mediaenc=srtp",),
        )
        return await self._make(account, trunk.trunk_id, trunk.username)

    async def leave(self, agent: Agent) -> None:
        """End an agent's registration, and free its handle once its calls are over."""
        agent.on_register = None
        self._left[agent.handle] = agent
        await self._stack.stop_registering(agent.handle)
        await self._give_back(agent)

    async def give_back(self) -> None:
        """Free the handles of unused agents whose calls are over by now."""
        for agent in list(self._left.values()):
            await self._give_back(agent)

    async def _give_back(self, agent: Agent) -> None:
        if await self._stack.destroy(agent.handle):
            self._left.pop(agent.handle, None)
            self._agents.pop(agent.handle, None)

    async def _make(self, account: Account, trunk_id: str | None, shown: str) -> Agent:
        # The transport is in the Route. In the account it would go into To and the request URI as
        # well, where carriers do not expect it.
        line = account.aor().replace(";transport=udp>", ">", 1)
        made = await UserAgent.create(self._runtime, line)
        agent = self._agents[made.handle] = Agent(made.handle, trunk_id)
        await self._stack.show_contact(agent.handle, shown)
        return agent

    def _next_hop(self, trunk: TrunkAccount) -> str:
        if self._settings.edge:
            # The edge takes its next hop from the Route (gateway/edge).
            return (
                f"sip:{self._settings.edge};transport=udp"
                f";hop={trunk.authority};via={trunk.transport};trunk={trunk.trunk_id}"
            )
        return f"sip:{trunk.authority};transport={trunk.transport}"

    def _happened(self, event: StackEvent) -> None:
        agent = self._agents.get(event.ua)
        if agent is None:
            return
        match event.event:
            case Event.REGISTER_OK | Event.REGISTER_FAIL:
                if agent.on_register is not None:
                    agent.on_register(event)
            case Event.CALL_INCOMING:
                self._on_incoming(Call._from_incoming(self._runtime, event), agent.trunk_id)
            case Event.CALL_TRANSFER:
                # No transfers: the far end could make us dial any number.
                self._start(self._refuse_transfer(event.call))

    async def _refuse_transfer(self, call: int) -> None:
        await self._runtime.cmd(lib.BP_CMD_CALL_TRANSFER_REJECT, args=f"{call} {_DECLINE}")

    def _start(self, doing: Any) -> None:
        async def done() -> None:
            with contextlib.suppress(BaresipError):
                await doing

        task = asyncio.create_task(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
