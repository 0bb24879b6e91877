"""All operations of the REST API, each declared once for both clients (docs/api.md)."""

from chamade.operations.account import AccountOf, Keys
from chamade.operations.calls import Calls
from chamade.operations.clips import ClipsOf
from chamade.operations.numbers import Numbers
from chamade.operations.recordings import Recordings
from chamade.operations.trunks import Dids, Trunks
from chamade.operations.voices import HostedVoices
from chamade.operations.webhooks import Webhooks

__all__ = [
    "AccountOf", "Calls", "ClipsOf", "Dids", "HostedVoices", "Keys", "Numbers", "Recordings",
    "Trunks", "Webhooks",
]  # fmt: skip
