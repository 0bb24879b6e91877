"""All operations of the REST API, each declared once for both clients (docs/api.md)."""

from chamade.operations.account import AccountOf, Keys
from chamade.operations.calls import Calls
from chamade.operations.numbers import Dids, Numbers, TrunkOf
from chamade.operations.webhooks import Webhooks

__all__ = ["AccountOf", "Calls", "Dids", "Keys", "Numbers", "TrunkOf", "Webhooks"]
