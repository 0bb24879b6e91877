"""The keeper of a trunk: registers it, detects failures, and tries again later.

The stack refreshes a registration by itself and reports each outcome. It would also retry by
itself, after half a minute or more. We retry sooner after a short failure of the carrier, and much
later when it has refused the credentials, since carriers lock out clients that keep trying. So the
stack's own retries are stopped after each failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
from collections.abc import Callable
from typing import NamedTuple

from baresip import BaresipError, Event, Runtime, StackEvent
from baresip._native import lib
from baresip.errors import split_status

from gateway.legs.sip.child import native
from gateway.legs.sip.child.agents import Agent, Agents, TrunkAccount
from gateway.legs.sip.child.pace import Pace
from gateway.trunks.remedies import retry_after_s

ANSWER_WITHIN = 8.0
"""Seconds in which a working registrar has answered, four retransmissions included."""

_AGAIN_WITHIN = 40.0
_MADE_WITHIN = 5.0

Standing = tuple[str, int | None, str]
"""Status, SIP code, reason."""

Report = Callable[[TrunkAccount, str, int | None, str], None]


class Outcome(NamedTuple):
    """The outcome of one REGISTER."""

    ok: bool
    sip_code: int | None
    reason: str


class Registration:
    """A user agent's registration, as the stack does it."""

    def __init__(self, stack: native.StackThread, agent: Agent) -> None:
        self.agent = agent
        self.there = False
        """True while the registrar has our contact."""
        self.was_registered = False
        self._under_way = False
        self._stack = stack
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        agent.on_register = self._happened

    async def begin(self) -> None:
        """Send a REGISTER; `outcome` returns its result, and that of each refresh after it."""
        while not self._outcomes.empty():
            self._outcomes.get_nowait()
        self._under_way = True
        try:
            await self._stack.register(self.agent.handle)
        except BaresipError as error:
            self._outcomes.put_nowait(Outcome(False, None, str(error)))

    async def outcome(self) -> Outcome:
        """Wait for the next outcome."""
        outcome = await self._outcomes.get()
        self._under_way = False
        self.there = outcome.ok
        self.was_registered |= outcome.ok
        return outcome

    async def silence(self) -> None:
        """Stop the stack's refreshes and retries."""
        await self._stack.stop_registering(self.agent.handle)

    async def end(self, runtime: Runtime) -> None:
        """Unregister, and wait for the registrar to confirm it."""
        if self._under_way:
            await self.outcome()
        if self.there:
            await runtime.cmd(lib.BP_CMD_UA_UNREGISTER, args=str(self.agent.handle))
            await self.outcome()

    def _happened(self, event: StackEvent) -> None:
        if event.event is Event.REGISTER_OK:
            self._outcomes.put_nowait(Outcome(True, 200, "OK"))
        else:
            code, reason = split_status(event.text or "")
            self._outcomes.put_nowait(Outcome(False, code, reason))


class Kit(NamedTuple):
    """The objects that all keepers of a child share."""

    stack: native.StackThread
    agents: Agents
    pace: Pace
    report: Report


class Keeper:
    """The task that keeps one trunk registered with fixed settings, until it is stopped."""

    def __init__(self, trunk: TrunkAccount, turn: asyncio.Lock, kit: Kit) -> None:
        """`turn` is the trunk's lock: its keepers run one after the other, so that a trunk has one
        agent at a time, however often it changes."""
        self.trunk = trunk
        self.told: Standing = ("registering", None, "")
        """The last reported state."""
        self.dials_by_account = False
        """True if the carrier accepts no number in From."""
        self.registration: Registration | None = None
        self._turn = turn
        self._stack, self._agents, self._pace, self._report = kit
        self._made = asyncio.Event()
        self._tell(*self.told)
        self._task = asyncio.create_task(self._run())

    async def agent(self) -> Agent:
        """Return the trunk's agent, to dial with. Raises BaresipError if it has none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MADE_WITHIN):
                await self._made.wait()
        if self.registration is None:
            raise BaresipError("the trunk has no user agent")
        return self.registration.agent

    def change(self, trunk: TrunkAccount) -> None:
        """Take over a revision without changes for the registrar; report the trunk's state
        again."""
        self.trunk = trunk
        self._tell(*self.told)

    def stop(self) -> None:
        """Stop. The agent is removed, its calls stay up."""
        self._task.cancel()

    async def end(self, runtime: Runtime) -> None:
        """Unregister before the child ends."""
        registration, self.registration = self.registration, None
        self._task.cancel()
        if registration is not None:
            with contextlib.suppress(BaresipError):
                await registration.end(runtime)

    async def _run(self) -> None:
        async with self._turn:
            try:
                await self._keep()
            finally:
                if (left := self.registration) is not None:
                    self.registration = None
                    with contextlib.suppress(BaresipError):
                        await self._agents.leave(left.agent)

    async def _keep(self) -> None:
        failures = 0
        while True:
            registration = await self._next()
            await self._pace.turn()
            await registration.begin()
            _stop_if_cancelled()
            outcome = await self._first(registration)
            while outcome.ok:
                failures = 0
                self._tell("registered", outcome.sip_code, outcome.reason)
                outcome = await registration.outcome()  # of the next refresh
            failures += 1
            self._tell("failed", outcome.sip_code, _worded(outcome.reason, self.trunk))
            with contextlib.suppress(BaresipError):
                await registration.silence()
            _stop_if_cancelled()
            # The random value only spreads the retries; it protects nothing.
            pause = retry_after_s(failures, outcome.sip_code, random.random())  # noqa: S311
            await asyncio.sleep(pause)

    async def _next(self) -> Registration:
        """Return the registration to try now: the present one, or one of a new agent.

        One that has been registered is not used again: when it was silenced, the stack has
        unregistered its contact, and that request could arrive after a new REGISTER for the same
        contact.
        """
        old = self.registration
        if old is not None and not old.was_registered:
            return old
        registration = Registration(self._stack, await self._make())
        self.registration = registration
        self._made.set()
        if old is not None:
            with contextlib.suppress(BaresipError):
                await self._agents.leave(old.agent)
        _stop_if_cancelled()
        return registration

    async def _make(self) -> Agent:
        while True:
            making = asyncio.create_task(self._agents.make(self.trunk))
            try:
                return await asyncio.shield(making)
            except asyncio.CancelledError:
                # An agent that is made in spite of the cancellation must be freed.
                with contextlib.suppress(BaresipError, ValueError):
                    await self._agents.leave(await making)
                raise
            except (BaresipError, ValueError) as error:
                # One reason is that the stack has no room for another agent.
                self._tell("failed", None, str(error))
                await asyncio.sleep(_AGAIN_WITHIN)

    async def _first(self, registration: Registration) -> Outcome:
        """Return the outcome of a first REGISTER; report a failure before the stack does.

        The stack waits half a minute, which is too long for a user.
        """
        waiting = asyncio.ensure_future(registration.outcome())
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes with the outcome.
            async with asyncio.timeout(ANSWER_WITHIN):
                return await asyncio.shield(waiting)
        except TimeoutError:
            self._tell("failed", None, "no answer")
            return await waiting
        finally:
            waiting.cancel()

    def _tell(self, status: str, sip_code: int | None, reason: str) -> None:
        self.told = (status, sip_code, reason)
        self._report(self.trunk, status, sip_code, reason)


def _stop_if_cancelled() -> None:
    """Raise CancelledError if the task was cancelled and the cancellation was lost.

    The binding waits for its commands with `wait_for`, which in Python 3.11 loses a cancellation
    that comes together with the answer.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _worded(reason: str, trunk: TrunkAccount) -> str:
    """Reword two of the stack's reasons, which are the system's texts for error numbers and
    mislead."""
    if trunk.transport == "tls" and reason.startswith(os.strerror(errno.EPROTO)):
        return "TLS handshake failed, mostly because of the certificate"
    if reason.startswith(os.strerror(errno.EADDRNOTAVAIL)):
        return "no such host"
    return reason
