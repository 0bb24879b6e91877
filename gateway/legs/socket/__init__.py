"""Socket legs: parties on a WebSocket, which are programs and browsers.

They never take a call without the account's credentials or a ticket.
"""
