"""A route of a call that is dialled. A call has several if its trunk names others for the case that
it cannot place the call.
"""

from __future__ import annotations

from pydantic import ConfigDict

from chalicelib.domain.model import Model


class Route(Model):
    """A trunk that may place a call, with the number that it calls as there."""

    model_config = ConfigDict(frozen=True)

    trunk_id: str
    trunk: str
    caller_id: str
