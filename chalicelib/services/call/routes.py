"""Plan how a call is dialled: the trunk that its request means, the trunks to fall back to, and on
each the number to call as and the numbers as its carrier wants them written.

A trunk that is fallen back to has to allow the call by its own settings; none widens what the
chosen trunk may dial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.domain.call import Route
from chalicelib.domain.dial_rules import (
    NotDialled,
    Target,
    check_registered,
    choose_caller_id,
    parse_target,
)
from chalicelib.domain.dialled_number import written
from chalicelib.domain.did import Did
from chalicelib.domain.toll_guard import NumberingFacts, check_number
from chalicelib.domain.trunk import USABLE, Trunk
from chalicelib.domain.trunk_choice import choose_trunk
from chalicelib.providers.base import DialRoute
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.numbering_plans import facts_of, home_country, plans_of


@dataclass(frozen=True)
class Way:
    """One trunk that may place the call, its numbers, and the number to call as."""

    trunk: Trunk
    dids: Sequence[Did]
    caller_id: str

    @property
    def route(self) -> Route:
        """Return the route as the call keeps it."""
        return Route(trunk_id=self.trunk.trunk_id, trunk=self.trunk.name, caller_id=self.caller_id)

    def written(self, to: str) -> DialRoute:
        """Return the route with its numbers as the trunk's carrier wants them."""
        trunk, plans = self.trunk, plans_of(self.trunk, self.dids)
        called = trunk.dial_prefix + written(to, trunk.number_format, plans)
        return DialRoute(
            trunk.trunk_id, called, written(self.caller_id, trunk.number_format, plans)
        )


@dataclass(frozen=True)
class Plan:
    """The number to dial, and the ways to it in order: one or more."""

    target: Target
    ways: tuple[Way, ...]

    @property
    def first(self) -> Way:
        """Return the way that is tried first."""
        return self.ways[0]


class Planner:
    """Plans one dial of an account: reads its trunks once, and numbers of a trunk when they are
    needed.
    """

    def __init__(self, deps: Dependencies, account_id: str) -> None:
        self._deps = deps
        self._trunks = deps.stores.trunks.all_of_account(account_id)
        self._dids: dict[str, Sequence[Did]] = {}

    def plan(self, meeting_url: str, name: str | None, caller_id: str | None) -> Plan:
        """Return how the URL is dialled. Raises NotDialled if the rules do not allow it, or if none
        of the trunks is registered or ready.
        """
        if not self._trunks:
            raise NotDialled("no_trunk", "There is no trunk to dial through.")
        target = parse_target(meeting_url, self._trunks[0])
        chosen = choose_trunk(target, self._trunks, name, self._has(caller_id))
        facts = facts_of(target.e164)
        check_number(target.e164, facts, _countries(chosen))
        first = Way(chosen, self._numbers(chosen), self._caller_id(chosen, caller_id))
        others = self._fallbacks(first, target, facts)
        try:
            check_registered(chosen)
        except NotDialled:
            if not others:
                raise
            return Plan(target, tuple(others))
        return Plan(target, (first, *others))

    def _has(self, caller_id: str | None) -> Callable[[Trunk], bool] | None:
        """Return the test whether a trunk has the number to call as."""
        if caller_id is None:
            return None

        def has(trunk: Trunk) -> bool:
            return trunk.caller_id == caller_id or any(
                did.e164 == caller_id for did in self._numbers(trunk)
            )

        return has

    def _numbers(self, trunk: Trunk) -> Sequence[Did]:
        if trunk.trunk_id not in self._dids:
            self._dids[trunk.trunk_id] = self._deps.stores.dids.of_trunk(trunk.trunk_id)
        return self._dids[trunk.trunk_id]

    def _caller_id(self, trunk: Trunk, wanted: str | None) -> str:
        """Return the number to call as through a trunk. Raises NotDialled."""
        caller_id = choose_caller_id(wanted, trunk, self._numbers(trunk))
        if self._deps.stores.lines.get(caller_id) is not None:
            raise NotDialled(
                "bad_caller_id",
                f"{caller_id} is a routing number of this installation, and no trunk's: use a "
                "number of your carrier's.",
            )
        return caller_id

    def _fallbacks(self, first: Way, target: Target, facts: NumberingFacts) -> list[Way]:
        """Return the ways through the trunks that the chosen one names and that may be used."""
        by_name = {trunk.name: trunk for trunk in self._trunks}
        named = [by_name[name] for name in first.trunk.fallback if name in by_name]
        ways = (
            self._fallback(trunk, first.caller_id, target, facts)
            for trunk in named
            if trunk.trunk_id != first.trunk.trunk_id
        )
        return [way for way in ways if way is not None]

    def _fallback(
        self, trunk: Trunk, caller_id: str, target: Target, facts: NumberingFacts
    ) -> Way | None:
        usable = trunk.provider == "gateway" and trunk.status in USABLE
        if not usable or (target.secure and trunk.transport != "tls"):
            return None
        try:
            check_number(target.e164, facts, _countries(trunk))
            return Way(trunk, self._numbers(trunk), self._own_caller_id(trunk, caller_id))
        except NotDialled:
            return None

    def _own_caller_id(self, trunk: Trunk, wanted: str) -> str:
        """Return the chosen number if the trunk has it, else the trunk's own caller ID."""
        try:
            return self._caller_id(trunk, wanted)
        except NotDialled:
            if trunk.caller_id is None:
                raise
            return self._caller_id(trunk, trunk.caller_id)


def _countries(trunk: Trunk) -> set[str]:
    """Return the countries a trunk may dial: that of its caller ID, and those its owner allows.

    Both are set together with the trunk's password. Its DIDs do not count: whoever holds an API
    key can add one of any country.
    """
    own = home_country(trunk.caller_id) if trunk.caller_id else None
    return ({own} if own else set()) | set(trunk.allowed_countries)
