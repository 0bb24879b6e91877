"""Trunking providers behind one protocol. A provider is a module here and a line in `bootstrap.py`."""
