"""The base of errors that become answers of REST and MCP."""

from __future__ import annotations

from typing import Any, ClassVar


class Failure(Exception):
    """A request that cannot be done. REST and MCP make their answers from its attributes.

    It names no remedy: REST and MCP have texts of their own for each code. Status and title of an
    answer follow from `code`, unless the class sets others.
    """

    code: str
    """A stable word, one of `problem_codes.CODES`."""
    detail: str = ""
    """Details of this failure, where the code alone is not enough."""
    retry_after_s: int | None = None
    """Seconds after which the request may be sent again; None: waiting does not help."""
    status: int | None = None
    title: str | None = None
    field: str | None = None
    """The field of the request that is wrong; the message is the exception's own."""
    logged_as: ClassVar[str | None] = None
    """The log line of a failure that the operator has to see; `%s` is the message. Alarms count
    these lines (infra/)."""
    member_names: ClassVar[tuple[str, ...]] = ()
    """Attributes that are members of the answer."""

    def members(self) -> dict[str, Any]:
        """Return the members that the answer has beside code and detail."""
        return {name: getattr(self, name) for name in self.member_names}
