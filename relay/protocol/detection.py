"""The detection of who answered a call, as the application's answers ask for it
(docs/contracts.md).
"""

from __future__ import annotations

from typing import Literal

import msgspec

AnsweredBy = Literal["human", "machine", "fax", "unknown"]
EndedBy = Literal["beep", "silence", "timeout"]
Until = Literal["answer", "greeting_end"]


class WantedDetection(msgspec.Struct, frozen=True):
    """The facts that the application wants of a call that was dialled: who answered, and (`until`)
    when a machine's greeting is over. `answered_by`: it knows that already.
    """

    until: Until
    answered_by: AnsweredBy | None = None
