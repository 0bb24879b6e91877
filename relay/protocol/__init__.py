"""The codecs of the agent's socket: JSON messages, audio formats, tones.

They do no I/O and know nothing of calls.
"""
