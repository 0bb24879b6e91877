"""Shared by application, relay and gateway: wire formats, signatures, addresses, log lines.

One codec for each wire format. No I/O, no state: a module here turns bytes into values and back.
"""
