"""An account's calls, newest first, a page at a time."""

from __future__ import annotations

import json

from chalicelib.domain import cursor as cursors
from chalicelib.domain.call import Call
from chalicelib.services.dependencies import Dependencies

MAX_LIMIT = 100


def page(  # noqa: PLR0913 - filters, cursor and limit
    deps: Dependencies,
    account_id: str,
    *,
    state: str | None,
    direction: str | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[Call], str | None]:
    """Return up to `limit` calls and the next cursor (None at the end). Raises BadCursor if it is
    not the account's.
    """
    after = None
    if cursor:
        after = json.loads(cursors.unseal(deps.secrets.tokens, account_id, "calls", cursor))
    calls, more = deps.stores.calls.page(
        account_id, state=state, direction=direction, limit=limit, after=after
    )
    if more is None:
        return calls, None
    place = json.dumps(more, separators=(",", ":"))
    return calls, cursors.seal(deps.secrets.tokens, account_id, "calls", place)
