"""Transactions: a request, its responses and what is sent again (RFC 3261 17)."""
