"""Requests to the API: as plain values, and sent by `shells.py`."""
