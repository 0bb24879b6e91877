"""What travels on the agent's socket: its JSON messages, its audio formats, tones.

Codecs only. No I/O, no knowledge of calls.
"""
