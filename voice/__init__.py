"""The voice host: it hears and speaks in calls whose agent only reads and writes text.

It shares no code with the application and the relay but common/ and runtime/; docs/contracts.md has
the requests and messages between them.
"""
