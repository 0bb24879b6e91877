"""The front of several gateway processes on one machine: starts them, keeps them running, and
passes each HTTP request to the process that it is about.

Each process is a whole gateway with its own SIP port and RTP ports, and registers its share of the
trunks. The front has no call and no trunk itself. See docs/decisions/0013.
"""
