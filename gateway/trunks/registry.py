"""The trunks that this process shall register, or know: fetched from the application, passed to
the host.

If there are several processes, each registers its share. It knows all others, so that a call can go
out by any trunk, and a call from a carrier's networks may come to any process.

Kept in memory only, and only those that the application wants now. If the application does not
answer, the present trunks stay. Registering is done by the host (`legs/sip/`), and the requests to
the application by `application.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from itertools import islice

from common.addresses import forbidden_network
from gateway.share import Share
from gateway.trunks import remedies
from gateway.trunks.application import Application, ApplicationError, pause_s
from gateway.trunks.host import TrunkHost
from gateway.trunks.known import Entry, KnownTrunks
from gateway.trunks.reports import Pause, Reports
from gateway.trunks.ssrf import Resolver, Servers, allowed_servers, allowed_target
from gateway.trunks.trunk import BadTrunkError, Trunk

_AT_ONCE = 8
_OTHERS_AT_ONCE = 64
"""Trunks of other processes that are fetched before the next look for changes of ours."""
_SIP_PORT = 5060
MAX_NUDGES = 1000
"""Trunks that may wait to be fetched one by one; beyond that, the whole list is fetched."""

log = logging.getLogger(__name__)


class Trunks(KnownTrunks):
    """The registry of trunks.

    `run` it beside the server; its other methods are synchronous and quick.
    """

    def __init__(  # noqa: PLR0913 - what it asks, how often, and by which clocks
        self,
        application: Application,
        *,
        refresh: float = 60.0,
        resolver: Resolver | None = None,
        share: Share | None = None,
        servers: Servers | None = None,
        pause: Pause = lambda failures: pause_s(failures, random.random()),  # noqa: S311 - spreads
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`refresh` is in seconds.

        `resolver` looks up hosts; None: hosts and networks may be anywhere, private networks
        included. `servers` finds the servers of hosts without a port; None: by the resolver.
        `share` is what this process registers; None: all. `clock` returns epoch seconds.
        """
        super().__init__(Reports(application, pause, self.changed), clock)
        self._application = application
        self._refresh_every = refresh
        self._resolver = resolver
        self._share = share
        self._servers = servers
        self._pause = pause
        self._at_host: set[str] = set()
        self._to_fetch: set[str] = set()
        self._list_due = True
        self._wake = asyncio.Event()

    @property
    def outage(self) -> str | None:
        """Return the code of the application's present failure; None if it answers as it should."""
        return self._application.outage

    def changed(self, trunk_id: str) -> None:
        """Fetch a trunk at once, because the application may have changed it."""
        if len(self._to_fetch) < MAX_NUDGES:
            self._to_fetch.add(trunk_id)
        else:
            self._list_due = True
        self._wake.set()

    def divided(self) -> None:
        """Look at once which trunks are ours, because gateways came, went or drain."""
        self._list_due = True
        self._wake.set()

    async def run(self, host: TrunkHost) -> None:
        """Keep `host` in step with the application, until cancelled. Failures never end it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(host))
                if self._resolver is not None:
                    group.create_task(self._keep_checking(host))
        finally:
            await self._reports.close()

    # In step with the application.

    async def _follow(self, host: TrunkHost) -> None:
        loop = asyncio.get_running_loop()
        next_list, failures = loop.time(), 0
        while True:
            self._wake.clear()
            if loop.time() >= next_list:
                self._list_due = True
            if self._list_due:
                next_list = loop.time() + self._refresh_every
            failures = 0 if await self._catch_up(host) else failures + 1
            wait = self._pause(failures) if failures else next_list - loop.time()
            # A notification ends the pause, too: an application that sends one is most likely back.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _catch_up(self, host: TrunkHost) -> bool:
        """Fetch the changes. Return whether every request was answered."""
        if self._list_due and not await self._list():
            return False
        self._divide(host)
        waiting = self._next_to_fetch()
        fetched = set(waiting)
        await asyncio.gather(*(self._fetch_some(waiting, host) for _ in range(_AT_ONCE)))
        if fetched & self._to_fetch:
            return False
        if self._to_fetch:
            self._wake.set()
        return True

    def _next_to_fetch(self) -> list[str]:
        """Take the trunks to fetch now, ours at the end: the last is fetched first.

        Ours are to be registered at once; others take turns, so that thousands of them do not hold
        up a change of ours.
        """
        ours = [trunk_id for trunk_id in self._to_fetch if self._is_ours(trunk_id)]
        others = list(islice(self._to_fetch.difference(ours), _OTHERS_AT_ONCE))
        self._to_fetch.difference_update(ours, others)
        random.shuffle(ours)  # so that a trunk without an answer is not always the first
        return others + ours

    def _is_ours(self, trunk_id: str) -> bool:
        if trunk_id in self._application.elsewhere:
            return False
        return self._share is None or self._share.owns(trunk_id)

    async def _list(self) -> bool:
        self._list_due = False  # before the request: later changes need another
        try:
            self._to_fetch |= self._differing(await self._application.list_trunks())
        except ApplicationError:
            self._list_due = True
        except Exception:
            log.exception("the list of trunks was not fetched")
            self._list_due = True
        return not self._list_due

    def _differing(self, listed: Mapping[str, int]) -> set[str]:
        """Return the trunks that are new, have another revision, or are not in the list any more.

        The latter are asked for before they are dropped: a list may lag behind, and a trunk that
        is dropped by mistake takes no calls.
        """
        known = {trunk_id: entry.revision for trunk_id, entry in self._entries.items()}
        return {trunk_id for trunk_id, _ in listed.items() ^ known.items()}

    async def _fetch_some(self, waiting: list[str], host: TrunkHost) -> None:
        while waiting:
            trunk_id = waiting.pop()
            try:
                await self._fetch(trunk_id, host)
            except ApplicationError as error:
                self._to_fetch.add(trunk_id)
                if error.silent:  # it would not answer for the others either
                    self._to_fetch.update(waiting)
                    waiting.clear()
            except Exception:
                log.exception("a trunk was not taken over", extra={"trunk_id": trunk_id})

    async def _fetch(self, trunk_id: str, host: TrunkHost) -> None:
        try:
            trunk = await self._application.fetch_trunk(trunk_id)
        except BadTrunkError as error:
            self._refuse(trunk_id, error, host)
            return
        except ApplicationError as error:
            if not error.final:
                raise
            log.warning("the application refuses a trunk: %s", error, extra={"trunk_id": trunk_id})
            return  # the next list contains it again
        if trunk is None:
            self._forget(trunk_id, host)
            return
        entry = self._entries.get(trunk_id)
        ours = self._is_ours(trunk_id)
        if entry is None or entry.trunk != trunk or entry.ours != ours:
            if entry is not None and entry.ours != ours:
                self._take_back(trunk_id, host)
            entry = self._entries[trunk_id] = Entry(trunk.revision, trunk, ours)
            await self._settle(entry, trunk, host)

    def _divide(self, host: TrunkHost) -> None:
        """Hand trunks over to the host again, for those that have become ours, or are no longer:
        their settings are known and checked already."""
        for trunk_id, entry in self._entries.items():
            if entry.ours == (ours := self._is_ours(trunk_id)):
                continue
            entry.ours, entry.state = ours, None
            if entry.trunk is not None and entry.applied:
                self._take_back(trunk_id, host)
                self._hand_over(entry, entry.trunk, host)

    def _refuse(self, trunk_id: str, error: BadTrunkError, host: TrunkHost) -> None:
        log.warning("a trunk is no good: %s", error, extra={"trunk_id": trunk_id})
        if error.revision is not None:
            self._take_back(trunk_id, host)
            entry = self._entries[trunk_id] = Entry(error.revision, None, self._is_ours(trunk_id))
            self._note(trunk_id, entry, "failed", None, remedies.unusable(str(error)))

    def _forget(self, trunk_id: str, host: TrunkHost) -> None:
        self._reports.forget(trunk_id)
        if self._entries.pop(trunk_id, None) is not None:
            self._take_back(trunk_id, host)
            log.info("trunk dropped", extra={"trunk_id": trunk_id})

    # Trunks are passed to the host if their host name leads to an allowed address.

    async def _keep_checking(self, host: TrunkHost) -> None:
        """Check the host names again from time to time: they may resolve to other addresses,
        allowed or not."""
        while True:
            await asyncio.sleep(self._refresh_every)
            for entry in list(self._entries.values()):
                if entry.trunk is not None:
                    try:
                        await self._settle(entry, entry.trunk, host)
                    except Exception:
                        trunk_id = entry.trunk.trunk_id
                        log.exception("a trunk was not checked", extra={"trunk_id": trunk_id})

    async def _settle(self, entry: Entry, trunk: Trunk, host: TrunkHost) -> None:
        trunk_id = trunk.trunk_id
        try:
            trouble = await self._private(trunk)
        except OSError:
            if entry.applied:
                return  # a short failure of the name servers
            trouble = remedies.unresolved_host(trunk)
        if self._entries.get(trunk_id) is not entry:
            return  # replaced by another revision meanwhile
        if trouble is not None:
            entry.applied = False
            self._take_back(trunk_id, host)
            self._note(trunk_id, entry, "failed", None, trouble)
        elif not entry.applied:
            entry.applied = True
            self._hand_over(entry, trunk, host)

    def _hand_over(self, entry: Entry, trunk: Trunk, host: TrunkHost) -> None:
        self._at_host.add(trunk.trunk_id)
        if not entry.ours:
            host.recognise(trunk)
            return
        self.on_status(trunk.trunk_id, entry.revision, "registering", None, "")
        host.apply(trunk)
        facts = {"trunk_id": trunk.trunk_id, "revision": entry.revision}
        log.info("trunk applied", extra=facts)

    async def _private(self, trunk: Trunk) -> str | None:
        """Return what is wrong with a trunk that leads to a private network; None if nothing is.

        Raises OSError if its host is not found.
        """
        resolver, hop = self._resolver, trunk.hop
        if resolver is None:
            return None
        if any(forbidden_network(str(network)) for network in trunk.networks):
            return remedies.private_network(trunk)
        if hop.port is not None or self._servers is None:
            allowed = await allowed_target(hop.host, hop.port or _SIP_PORT, resolver)
        else:
            allowed = await allowed_servers(hop.host, trunk.transport, self._servers)
        return None if allowed else remedies.private_host(trunk)

    def _take_back(self, trunk_id: str, host: TrunkHost) -> None:
        if trunk_id in self._at_host:
            self._at_host.discard(trunk_id)
            host.drop(trunk_id)
