"""The calls: each one's facts, its life from admission to end, and its requests to the application.

`leg.py` is the interface that every leg implements. Calls never know the technology of a leg, a
route of the HTTP API, or the settings of a trunk.
"""
