"""The SIP child: one process, one SIP stack, the calls and registrations it was given.

It decides nothing: it does what the gateway tells it and says what happened (`../codec.py`). It may
die at any moment; the gateway starts another one.
"""
