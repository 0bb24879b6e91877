"""The errors of the library. Each carries a sentence for the person who must mend the cause."""

from __future__ import annotations


class SipSyntaxError(ValueError):
    """A message, header or URI that is not SIP. The text says what was expected where."""


class Refusal(Exception):
    """A request that is understood and cannot be granted: a status code and a sentence."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        """Header fields of the response, e.g. `Unsupported` of a 420."""
