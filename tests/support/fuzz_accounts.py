"""`python -m tests.support.fuzz_accounts`: accounts of a running stack that may do everything
often, as its operator would set them. Prints their keys, key ids and numbers as JSON.
"""

from __future__ import annotations

import json

from chalicelib.domain.account import Account
from chalicelib.services import accounts, numbers
from chalicelib.services.ports import Ports
from chalicelib.store.table import update
from local.credentials import Credentials
from local.layout import Layout
from local.stack import application_ports

PLENTY = 1_000_000
GENEROUS = {
    "rate_factor": PLENTY,
    "max_keys": PLENTY,
    "max_numbers": PLENTY,
    "max_concurrent_dials": PLENTY,
    "max_dials_per_minute": PLENTY,
}


def generous(ports: Ports, account_id: str) -> None:
    """Raise the account's limits."""
    assert set(GENEROUS) <= set(Account.model_fields)
    ports.accounts._table.write(
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
    ports = application_ports(layout, Credentials.load(layout.state_dir))
    made = []
    for name in ("fuzzed", "whose trunk is fuzzed"):
        account, key = accounts.create_account(ports, name)
        generous(ports, account.account_id)
        [only] = ports.accounts.keys(account.account_id)
        number = numbers.activate(ports, account.account_id, "US").e164
        made.append({"key": key, "key_id": only.key_id, "number": number})
    print(json.dumps(made))


if __name__ == "__main__":
    main()
