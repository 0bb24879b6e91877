"""`python -m tests.support.fuzz_accounts`: make accounts with generous limits on a running stack,
as its operator would. Prints their keys, key ids and numbers as JSON.
"""

from __future__ import annotations

import json

from chalicelib.domain.account import Account
from chalicelib.services.account import accounts
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line import numbers
from chalicelib.store.places import MAX_PLACES
from chalicelib.store.table import update
from local.credentials import Credentials
from local.layout import Layout
from local.stack import application_dependencies

PLENTY = 1_000_000
GENEROUS = {
    "rate_factor": PLENTY,
    "max_keys": PLENTY,
    "max_numbers": PLENTY,
    "max_concurrent_dials": PLENTY,
    "max_dials_per_minute": PLENTY,
    "max_concurrent_calls": MAX_PLACES,
    "max_waiting_polls": MAX_PLACES,
}


def generous(deps: Dependencies, account_id: str) -> None:
    """Raise the account's limits."""
    assert set(GENEROUS) <= set(Account.model_fields)
    deps.stores.accounts._table.write(
        update(
            f"ACCOUNT#{account_id}",
            "ACCOUNT",
            "SET " + ", ".join(f"#{name} = :{name}" for name in GENEROUS),
            names={f"#{name}": name for name in GENEROUS},
            values={f":{name}": value for name, value in GENEROUS.items()},
        )
    )


def main() -> None:
    layout = Layout.from_environment()
    deps = application_dependencies(layout, Credentials.load(layout.state_dir))
    made = []
    for name in ("fuzzed", "whose trunk is fuzzed"):
        account, key = accounts.create_account(deps, name)
        generous(deps, account.account_id)
        [only] = deps.stores.accounts.keys(account.account_id)
        number = numbers.activate(deps, account.account_id, "US").e164
        made.append({"key": key, "key_id": only.key_id, "number": number})
    print(json.dumps(made))


if __name__ == "__main__":
    main()
