"""Trunking providers behind one protocol: one module each, and a line in `bootstrap.py`."""
