"""The rules of the relay, without I/O: what happens to a call's audio, messages, legs and waits.

No socket, no clock, no event loop, no settings. Times come in as numbers; actions go out through
`interfaces.py`. `make lint` holds it.
"""
