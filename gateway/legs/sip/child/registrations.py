"""Keeps the trunks of a child registered: register, notice what fails, back off, try again.

The stack refreshes by itself and reports each outcome. It would also retry by itself, after half a
minute and more; we ask again sooner after a carrier's hiccup and much later when it refused the
credentials, since carriers lock out whoever keeps knocking. So after each failure it is silenced.

It must not be silenced while a REGISTER of its own is under way: it would free what the answer (or
its time-out, 32 s after the request, RFC 3261 timer F) still needs, and corrupt the heap.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import json
import os
import random
from collections.abc import Callable
from typing import NamedTuple

from baresip import BaresipError, Event, Runtime, StackEvent, UserAgent
from baresip._native import lib
from baresip.errors import split_status

from gateway.legs.sip.child.agents import Agents, TrunkAccount
from gateway.remedies import retry_after_s

ANSWER_WITHIN = 8.0
"""Seconds in which a registrar that is there has answered, four retransmissions included."""

_TRANSACTION = 40.0
_CONFIRMED_WITHIN = 3.0

Standing = tuple[str, int | None, str]
"""Status, SIP code, reason."""

Report = Callable[[TrunkAccount, str, int | None, str], None]


class Outcome(NamedTuple):
    """What became of one REGISTER."""

    ok: bool
    sip_code: int | None
    reason: str


class Registration:
    """One user agent's registration, as the stack does it."""

    def __init__(self, runtime: Runtime, agent: UserAgent) -> None:
        self._runtime = runtime
        self._agent = agent
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._under_way = False
        self._wanted = False
        self._there = False
        """Whether the registrar has us."""
        agent.on(self._happened)  # until `close`

    async def begin(self) -> None:
        """Sends a REGISTER; `outcome` tells what becomes of it, and of each refresh after it."""
        while not self._outcomes.empty():
            self._outcomes.get_nowait()
        self._under_way = self._wanted = True
        _, refusal = await self._runtime.cmd(lib.BP_CMD_UA_REGISTER, args=str(self._agent.handle))
        if refusal is not None:
            why = os.strerror(json.loads(refusal).get("errno", 0))
            self._outcomes.put_nowait(Outcome(False, None, why))

    async def outcome(self) -> Outcome:
        """The next one."""
        outcome = await self._outcomes.get()
        self._under_way = False
        self._there = outcome.ok
        return outcome

    async def end(self) -> None:
        """Asks for nothing any more; unregisters if it is registered, and waits a moment for the
        registrar to confirm it: the agent can be used again only after that.
        """
        if not self._wanted:
            return
        self._wanted = False
        if self._under_way:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TRANSACTION):
                    await self.outcome()
        with contextlib.suppress(BaresipError):
            await self._runtime.cmd(lib.BP_CMD_UA_UNREGISTER, args=str(self._agent.handle))
        if self._there:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CONFIRMED_WITHIN):
                    await self.outcome()
            self._there = False

    async def close(self) -> None:
        """`end`, and listens no more."""
        await self.end()
        self._agent.off(self._happened)

    def _happened(self, event: StackEvent) -> None:
        if event.event is Event.REGISTER_OK:
            self._outcomes.put_nowait(Outcome(True, 200, "OK"))
        elif event.event is Event.REGISTER_FAIL:
            code, reason = split_status(event.text or "")
            self._outcomes.put_nowait(Outcome(False, code, reason))


class Registrations:
    """The trunks of one child. `report(trunk, status, sip_code, reason)` hears of every outcome."""

    def __init__(self, runtime: Runtime, agents: Agents, report: Report) -> None:
        self._runtime = runtime
        self._agents = agents
        self._report = report
        self._trunks: dict[str, TrunkAccount] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, Standing] = {}
        """What was last reported of each trunk."""
        self._busy: dict[int, asyncio.Lock] = {}
        """By agent: one registration at a time, until the one before it has ended for good."""
        self._leaving: set[asyncio.Task[None]] = set()

    def get(self, trunk_id: str) -> TrunkAccount | None:
        """The trunk as it was last given."""
        return self._trunks.get(trunk_id)

    def apply(self, trunk: TrunkAccount) -> None:
        """A trunk that is new or has changed."""
        before = self._trunks.get(trunk.trunk_id)
        if before is not None and dataclasses.replace(before, revision=trunk.revision) == trunk:
            # Nothing that a registrar would see: how it stands is told anew, and nothing is asked.
            self._trunks[trunk.trunk_id] = trunk
            self._report(trunk, *self._told[trunk.trunk_id])
            return
        self.drop(trunk.trunk_id)
        self._trunks[trunk.trunk_id] = trunk
        self._tell(trunk, "registering", None, "")
        self._keepers[trunk.trunk_id] = asyncio.create_task(self._keep(trunk))

    def drop(self, trunk_id: str) -> None:
        """A trunk that is to be registered no longer."""
        self._trunks.pop(trunk_id, None)
        if (keeper := self._keepers.pop(trunk_id, None)) is not None:
            keeper.cancel()

    async def close(self) -> None:
        """Tells the registrars that we go; those that do not answer are not waited for."""
        keepers = list(self._keepers.values())
        for trunk_id in list(self._trunks):
            self.drop(trunk_id)
        await asyncio.gather(*keepers, return_exceptions=True)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=_CONFIRMED_WITHIN)

    async def _keep(self, trunk: TrunkAccount) -> None:
        agent = await self._agent(trunk)
        _heed_cancellation()
        busy = self._busy.setdefault(agent.handle, asyncio.Lock())
        await busy.acquire()
        registration = Registration(self._runtime, agent)
        failures = 0
        try:
            while True:
                await registration.begin()
                _heed_cancellation()
                outcome = await self._first(trunk, registration)
                while outcome.ok:
                    failures = 0
                    self._tell(trunk, "registered", outcome.sip_code, outcome.reason)
                    outcome = await registration.outcome()  # of the next refresh
                failures += 1
                self._tell(trunk, "failed", outcome.sip_code, _worded(outcome.reason, trunk))
                await registration.end()
                # Spreads, guards nothing.
                pause = retry_after_s(failures, outcome.sip_code, random.random())  # noqa: S311
                await asyncio.sleep(pause)
        finally:
            leaving = asyncio.create_task(self._leave(registration, busy))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, registration: Registration, busy: asyncio.Lock) -> None:
        try:
            await registration.close()
        finally:
            busy.release()

    def _tell(self, trunk: TrunkAccount, status: str, sip_code: int | None, reason: str) -> None:
        self._told[trunk.trunk_id] = (status, sip_code, reason)
        self._report(self._trunks.get(trunk.trunk_id, trunk), status, sip_code, reason)

    async def _agent(self, trunk: TrunkAccount) -> UserAgent:
        while True:
            try:
                return await self._agents.registering(trunk)
            except (BaresipError, ValueError) as error:
                # Such as a stack without room for another agent: its child is about to be renewed.
                self._tell(trunk, "failed", None, str(error))
                await asyncio.sleep(_TRANSACTION)

    async def _first(self, trunk: TrunkAccount, registration: Registration) -> Outcome:
        """The outcome of a first REGISTER. The stack waits half a minute; people should not."""
        waiting = asyncio.ensure_future(registration.outcome())
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes with the outcome.
            async with asyncio.timeout(ANSWER_WITHIN):
                return await asyncio.shield(waiting)
        except TimeoutError:
            self._tell(trunk, "failed", None, "no answer")
            return await waiting
        finally:
            waiting.cancel()


def _heed_cancellation() -> None:
    """The binding waits for its commands with `wait_for`, which in Python 3.11 swallows a
    cancellation that comes together with the answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _worded(reason: str, trunk: TrunkAccount) -> str:
    """The stack's words are the system's for an error number; two of them help nobody."""
    if trunk.transport == "tls" and reason.startswith(os.strerror(errno.EPROTO)):
        return "TLS handshake failed, mostly because of the certificate"
    if reason.startswith(os.strerror(errno.EADDRNOTAVAIL)):
        return "no such host"
    return reason
