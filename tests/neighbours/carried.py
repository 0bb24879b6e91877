"""Calls that are carried through an attack, and what both ends of each hear meanwhile."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from gateway.softphone.call import Heard, PhoneCall, is_silent
from tests.neighbours.tenant import Agent, next_caller, speak
from tests.support.running import Live


@dataclass
class Ear:
    """A listener that notes when sound came and the longest time without; it keeps no sound."""

    heard: int = 0
    silent: int = 0
    last_at: float = field(default_factory=time.monotonic)
    longest_gap_s: float = 0.0

    def note(self, at: float) -> None:
        """Note a frame of sound."""
        self.longest_gap_s = max(self.longest_gap_s, at - self.last_at)
        self.last_at, self.heard = at, self.heard + 1

    def append(self, heard: Heard) -> None:
        """Take a frame as a list of them would (see `PhoneCall.received`)."""
        if is_silent(heard.frame):
            self.silent += 1
        else:
            self.note(heard.at)


class Witness(Agent):
    """An agent that keeps no list of times."""

    def __init__(self, audio: dict[str, Any]) -> None:
        super().__init__(audio)
        self.ear = Ear()
        self.heard_at = self  # type: ignore[assignment]

    def append(self, at: float) -> None:
        """Note when sound came in."""
        self.ear.note(at)


@dataclass
class Carried:
    """A call that is up."""

    live: Live
    call_id: str
    phone: PhoneCall
    caller: Ear
    agent: Ear
    tasks: list[asyncio.Task[None]]

    @classmethod
    async def begin(cls, live: Live) -> Carried:
        """Place a call, accept it, and have both ends speak."""
        phone = await live.phone().place_call(live.number, from_=next_caller())
        caller = Ear()
        phone.received = caller  # type: ignore[assignment]
        await asyncio.wait_for(phone.ringing.wait(), 20)
        call_id = await live.call_id(phone.from_)
        accepted = await live.rest("POST", f"/api/call/{call_id}/accept")
        witness = Witness(accepted["audio"])
        tasks = [asyncio.create_task(witness.run()), asyncio.create_task(speak(phone))]
        await asyncio.wait_for(witness.started.wait(), 20)
        await asyncio.wait_for(phone.answered.wait(), 20)
        caller.last_at = witness.ear.last_at = time.monotonic()
        return cls(live, call_id, phone, caller, witness.ear, tasks)

    @property
    def up(self) -> bool:
        """Return whether both ends are still there."""
        return not (self.phone.ended.is_set() or self.tasks[0].done())

    async def end(self) -> dict[str, Any]:
        """Hang up; return the call as REST shows it afterwards."""
        self.phone.hangup()
        await asyncio.wait([self.tasks[0]], timeout=20)
        self.tasks[1].cancel()
        states = ("ended", "failed", "missed", "declined")
        return dict(await self.live.rest.wait_for(self.call_id, *states, within_s=20))
