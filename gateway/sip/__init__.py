"""A SIP user agent, sans I/O: a library that knows nothing of the rest of the gateway.

Bytes and time go in, bytes and events come out. Nothing here opens a socket, reads a clock or
writes a log, but for the thin shells in `network/`. Read it from the bottom up:

    grammar, uri, headers        what the words of a message mean
    message, framing             messages from bytes, and bytes from messages
    timers, transactions         RFC 3261 17 as tables
    dialog, agent                calls and registrations, and the one object to feed
"""
