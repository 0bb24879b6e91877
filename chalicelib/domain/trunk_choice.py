"""Choose the trunk that a call is dialled through, among those of an account."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.domain.dial_rules import NotDialled, Target, check_host, leads_to, shown_host
from chalicelib.domain.trunk import Trunk


def choose_trunk(
    target: Target,
    trunks: Sequence[Trunk],
    name: str | None,
    has_number: Callable[[Trunk], bool] | None,
) -> Trunk:
    """Return the trunk that a call goes through: the one called `name`; else of those that the URL
    leads to, the first that has the number to call as; else the first. `trunks` is in the order of
    their names, `main` first. Raises NotDialled (`no_trunk`, `wrong_host`).
    """
    if not trunks:
        raise NotDialled("no_trunk", "There is no trunk to dial through.")
    if name is not None:
        return _named(target, trunks, name)
    there = [trunk for trunk in trunks if leads_to(target, trunk)]
    if not there:
        _refuse_host(target, trunks)
    # sips: goes through trunks that have TLS, where there are any.
    there = [each for each in there if not target.secure or each.transport == "tls"] or there
    check_host(target, there[0])
    if has_number is None or len(there) == 1:
        return there[0]
    return next(filter(has_number, there), there[0])


def _named(target: Target, trunks: Sequence[Trunk], name: str) -> Trunk:
    trunk = next((each for each in trunks if each.name == name), None)
    if trunk is None:
        yours = ", ".join(each.name for each in trunks)
        raise NotDialled("no_trunk", f"You have no trunk {name}; yours: {yours}.")
    check_host(target, trunk)
    return trunk


def _refuse_host(target: Target, trunks: Sequence[Trunk]) -> None:
    if len(trunks) == 1:
        check_host(target, trunks[0])
    hosts = dict.fromkeys(shown_host(trunk) for trunk in trunks)
    urls = " or ".join(f"sip:{target.e164}@{host}" for host in hosts)
    raise NotDialled(
        "wrong_host",
        f"Calls go through your own trunks: write {urls}, or connect that one, too.",
    )
