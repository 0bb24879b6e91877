"""Thin shells around the user agent: sockets and name look-ups."""
