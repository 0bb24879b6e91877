"""Accounts, the dashboard's sessions, and the tokens of accounts' agents."""
