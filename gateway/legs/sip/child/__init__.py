"""The SIP child: one process with one SIP stack, its calls and its registrations.

It makes no decisions: it carries out the gateway's commands and reports events (`../codec.py`). It
may crash at any moment; then the gateway starts another one.
"""
