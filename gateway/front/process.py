"""Run one gateway process behind the front."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.child_process import INVALID, ChildProcess, StartError

__all__ = ["INVALID", "Process", "StartError"]


class Process(ChildProcess):
    """Hold one gateway process, under the number `index`."""

    def __init__(self, index: int, environ: Mapping[str, str]) -> None:
        super().__init__("gateway", index, environ)

    @property
    def socket(self) -> str:
        """Return the path of its socket."""
        return self.environ["GATEWAY_SOCKET"]
