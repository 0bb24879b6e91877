"""Asking the API: what is asked as plain values, who asks in `shells.py`."""
