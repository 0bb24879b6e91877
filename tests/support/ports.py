"""Ports that nobody else uses: below the ephemeral ones, above those of stacks and of the gateway's
RTP.
"""

from __future__ import annotations

from local.layout import HOST
from local.ports import claim_ports, is_free

__all__ = ["HOST", "free_port", "free_ports"]

_BLOCKS = range(30_000, 32_700, 100)
"""Each test process claims one of these blocks, and another when it asks for more at a time."""


class _Turn:
    """The next port to hand out: in turn, so that a port just given back is not taken while packets
    still come for it."""

    def __init__(self) -> None:
        self.blocks: list[int] = []
        self.ports: list[int] = []

    def next_block(self, count: int) -> range:
        """Return the next `count` ports, the first of them even."""
        if len(self.ports) < count:
            # The first blocks have had a rest when there are three.
            if len(self.blocks) < 3:
                self.blocks.append(claim_ports(_BLOCKS))
            else:
                self.blocks.append(self.blocks.pop(0))
            first = self.blocks[-1]
            self.ports = list(range(first, first + _BLOCKS.step))
        taken, self.ports = self.ports[:count], self.ports[count + count % 2 :]
        return range(taken[0], taken[-1] + 1)


_turn = _Turn()


def free_port() -> int:
    """Return a port that is free for both UDP and TCP; it is even, and the next one is free too."""
    return free_ports(2)


def free_ports(count: int) -> int:
    """Return the first, even, of `count` ports side by side that are free for both UDP and TCP."""
    for _ in range(len(_BLOCKS) * _BLOCKS.step):
        ports = _turn.next_block(count)
        if all(map(is_free, ports)):
            return ports.start
    raise OSError(f"no {count} free ports")
