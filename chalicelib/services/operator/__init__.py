"""Use cases of the operator: accounts, calls and secrets, through `chamade-admin`."""
