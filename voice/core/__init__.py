"""The rules of a hosted call: turns, speech, and what was heard of it.

No I/O; the time is passed in.
"""
