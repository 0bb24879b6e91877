"""Sockets, HTTP and the event loop of the relay: they feed the core and act for it."""
