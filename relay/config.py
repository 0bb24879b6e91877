"""The relay's settings, read once from the environment; nothing else looks at `os.environ`."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.core.timeouts import WATCH_WITH_DOOR_S, Timeouts
from runtime.processors import count_of
from runtime.settings import authority, loopback, needed, number, secret


@dataclass(frozen=True, slots=True)
class Member:
    """The place of this process in a group (`relay/group`), and the files that it inherits."""

    index: int
    """Counted from 0."""
    count: int
    audio_files: tuple[int, ...] = ()
    door_files: tuple[int, ...] = ()
    board_file: int = -1

    @classmethod
    def parse(cls, place: str, files: str) -> Member:
        """Read `2/4`, and `5;6;7`: files of audio, of the door, and of the board. ValueError."""
        index, count = (int(part) for part in place.split("/"))
        audio, door, board = (
            tuple(int(file) for file in part.split(",") if file) for part in files.split(";")
        )
        return cls(index - 1, count, audio, door, board[0])


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one relay process."""

    control_url: str
    control_secret: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8702
    relay_id: str = "relay-1"
    relay_url: str = "ws://127.0.0.1:8702"
    """Base URL at which other relays reach this one."""
    door_port: int | None = None
    """TCP port of the control door; None: there is no door."""
    door_url: str = ""
    """Base URL at which other relays reach the door; blank if there is none."""
    public_url: str = "ws://127.0.0.1:8702"
    """Base URL that providers dial, which their handshake signature covers."""
    drain_s: float = 100.0
    """Seconds for calls to end by themselves while the relay drains."""
    max_waiting: int = 200
    """Agents' sockets that wait for admission; upgrades beyond that are answered 503."""
    max_waiting_providers: int = 200
    """The same for providers' streams."""
    max_waiting_address: int = 50
    """Agents' sockets of one source address that wait for admission."""
    max_connections: int = 8192
    """TCP connections to this relay, of any kind."""
    behind_proxy: bool = False
    """True behind a load balancer that writes the client's address into `X-Forwarded-For`."""
    allow_private_agents: bool = False
    """True if agents may be dialled at private addresses."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    counts_s: float = 0.0
    """Seconds between two log lines of counts; 0: none."""
    processes: int = 1
    """Processes that share the port; 1: this one alone."""
    private_port: int = 0
    """First port at which the processes of a group are reached by other relays: each has two. 0:
    the system chooses them."""
    member: Member | None = None
    """This process's place in a group; None: it is the only one, or the parent."""
    ecs_agent_uri: str = ""
    """URI of Amazon ECS's agent, for task protection; blank outside ECS."""


def from_env(env: Mapping[str, str]) -> Config:
    """Read the settings from the environment. ValueError names one that is missing or wrong."""
    host = env.get("RELAY_HOST") or "127.0.0.1"
    port = int(number(env, "RELAY_PORT", 8702))
    # Containers may all have the same port and settings, so the host's name tells them apart; a
    # random suffix tells a process from the one that it replaces.
    name = socket.gethostname()
    reached = authority(host) if loopback(host) else name
    base = f"ws://{reached}:{port}"
    door_port = int(number(env, "RELAY_DOOR_PORT", 0)) or None
    door_url = env.get("RELAY_DOOR_URL") or f"http://{reached}:{door_port}"
    place = env.get("RELAY_MEMBER")
    member = Member.parse(place, env.get("RELAY_FILES", "")) if place else None
    timeouts = Timeouts()
    watch = timeouts.watch if door_port is None else WATCH_WITH_DOOR_S
    return Config(
        control_url=needed(env, "CHAMADE_CONTROL_URL").rstrip("/"),
        control_secret=secret(env, "CHAMADE_CONTROL_SECRET"),
        host=host,
        port=port,
        relay_id=_relay_id(env, f"{name}-{port}-{secrets.token_hex(3)}", member),
        relay_url=(env.get("RELAY_URL") or base).rstrip("/"),
        door_port=door_port,
        door_url=door_url.rstrip("/") if door_port else "",
        public_url=(env.get("RELAY_PUBLIC_URL") or base).rstrip("/"),
        drain_s=number(env, "RELAY_DRAIN_S", 100.0),
        max_waiting=int(number(env, "RELAY_MAX_WAITING", 200, least=1)),
        max_waiting_providers=int(number(env, "RELAY_MAX_WAITING_PROVIDERS", 200, least=1)),
        max_waiting_address=int(number(env, "RELAY_MAX_WAITING_ADDRESS", 50, least=1)),
        max_connections=int(number(env, "RELAY_MAX_CONNECTIONS", 8192, least=64)),
        behind_proxy=env.get("RELAY_BEHIND_PROXY") == "1",
        allow_private_agents=env.get("RELAY_ALLOW_PRIVATE_AGENTS") == "1",
        timeouts=Timeouts(
            agent_back=number(env, "RELAY_AGENT_BACK_S", timeouts.agent_back),
            agent_first=number(env, "RELAY_AGENT_FIRST_S", timeouts.agent_first),
            provider_back=number(env, "RELAY_PROVIDER_BACK_S", timeouts.provider_back),
            provider_start=number(env, "RELAY_PROVIDER_START_S", timeouts.provider_start),
            unreachable=number(env, "RELAY_UNREACHABLE_S", timeouts.unreachable),
            watch=number(env, "RELAY_WATCH_S", watch, least=1),
        ),
        counts_s=number(env, "RELAY_COUNTS_S", 0.0),
        processes=_processes(env),
        private_port=int(number(env, "RELAY_PRIVATE_PORT", 0)),
        member=member,
        ecs_agent_uri=env.get("ECS_AGENT_URI", ""),
    )


def _processes(env: Mapping[str, str]) -> int:
    try:
        return count_of(env.get("RELAY_PROCESSES") or "1")
    except ValueError as error:
        raise ValueError(f"RELAY_PROCESSES {error}") from None


def _relay_id(env: Mapping[str, str], own: str, member: Member | None) -> str:
    """Return the name under which the application knows this process. In a group each process has
    its own, and another one when it is started again: its calls are elsewhere then.
    """
    given = env.get("RELAY_ID")
    if member is None or not given:
        return given or own
    return f"{given}-{member.index + 1}-{secrets.token_hex(3)}"
