"""The gateway's HTTP API: Twilio's Calls REST API (`calls.py`), and the routes about trunks
(`trunks.py`) and for the operator (`operator.py`).

Handlers only: they check credentials and fields, and ask `calls/` and `trunks/`. They never decide
about a call, and nothing but the server imports them.
"""
