"""The user agents of a child: for each trunk one that registers, and one for each caller ID it
dials with; and those that take what belongs to no trunk.

The stack cannot give an agent back, and has 1,023 handles for agents and calls together. So agents
are used again as long as their settings are the same, are counted (`made`), and the child is
renewed before they run out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from baresip import Account, Call, Runtime, UserAgent

from gateway.legs.sip.child.settings import Settings


@dataclass(frozen=True, slots=True)
class TrunkAccount:
    """A trunk as far as the stack needs it."""

    trunk_id: str
    revision: int
    host: str
    address: str
    """The checked address of the host, at which it is to be reached."""
    port: int
    transport: str
    username: str
    password: str
    realm: str | None

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> TrunkAccount:
        """From the `trunk` command."""
        return cls(**{name: message[name] for name in cls.__slots__})

    @property
    def domain(self) -> str:
        """What stands behind the @: the realm, else the host."""
        return self.realm or (f"[{self.host}]" if ":" in self.host else self.host)

    @property
    def authority(self) -> str:
        """Where to send, `address:port`, as in a URI: IPv6 in brackets. With TLS it is the name,
        for the certificate's sake: who answers elsewhere has none for it."""
        host = self.host if self.transport == "tls" else self.address
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def __repr__(self) -> str:
        return f"TrunkAccount({self.trunk_id}, revision {self.revision})"


class Agents:
    """Makes user agents and knows whose they are."""

    def __init__(self, runtime: Runtime, settings: Settings, on_incoming: Any) -> None:
        self._runtime = runtime
        self._settings = settings
        self._on_incoming = on_incoming
        self._agents: dict[tuple[str, str], UserAgent] = {}
        """By trunk and account line."""
        self._registering: dict[str, UserAgent] = {}
        self.made = 0

    async def open(self) -> None:
        """The agents for calls that come to no trunk: softphones, or what the edge lets through."""
        for transport in ("udp", "tcp"):  # one takes only what came by its own
            account = Account(
                "gateway",
                self._settings.host,
                "",
                reg_interval=0,
                transport=transport,
                extra_params=("catchall=yes", "mediaenc=srtp"),
            )
            self._receive(await self._make(account), None)

    async def registering(self, trunk: TrunkAccount) -> UserAgent:
        """The agent that registers as of this revision of the trunk."""
        # The one that dials comes first: it takes the bare user name as its contact, so the one
        # that registers gets a random one, which only the registrar learns.
        await self.dialling(trunk, trunk.username)
        agent = await self._agent(trunk, trunk.username, self._settings.register_interval, "srtp")
        self._registering[trunk.trunk_id] = agent
        return agent

    async def dialling(self, trunk: TrunkAccount, caller_id: str) -> UserAgent:
        """The agent whose calls say `From: caller_id`."""
        encryption = "srtp" if trunk.transport == "tls" else None
        return await self._agent(trunk, caller_id, 0, encryption)

    async def _agent(
        self, trunk: TrunkAccount, user: str, interval: int, encryption: str | None
    ) -> UserAgent:
        account = Account(
            user,
            trunk.domain,
            trunk.password,
            auth_user=trunk.username,
            registrar=self._next_hop(trunk),
            reg_interval=interval,
            extra_params=(f"mediaenc={encryption}",) if encryption else (),
        )
        key = (trunk.trunk_id, account.aor())
        if key not in self._agents:
            self._agents[key] = agent = await self._make(account)
            self._receive(agent, trunk.trunk_id)
        return self._agents[key]

    async def _make(self, account: Account) -> UserAgent:
        self.made += 1
        # The Route says by what transport; in the account it would end up in To and in the request
        # URI, where carriers do not expect it.
        line = account.aor().replace(";transport=udp>", ">", 1)
        # A far end that asks to be transferred would have us dial whom it likes.
        return await UserAgent.create(self._runtime, line, transfer_policy="reject")

    def _next_hop(self, trunk: TrunkAccount) -> str:
        if self._settings.edge:
            # The edge takes its next hop from the Route (gateway/edge).
            return (
                f"sip:{self._settings.edge};transport=udp"
                f";hop={trunk.authority};via={trunk.transport};trunk={trunk.trunk_id}"
            )
        return f"sip:{trunk.authority};transport={trunk.transport}"

    def _receive(self, agent: UserAgent, trunk_id: str | None) -> None:
        def incoming(call: Call) -> None:
            self._on_incoming(call, trunk_id, agent is self._registering.get(trunk_id or ""))

        agent.on_incoming(incoming)
