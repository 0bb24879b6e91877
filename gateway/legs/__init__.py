"""Call legs: the connections to callers and called parties, one folder for each technology.

They implement `calls/leg.py` and ask the exchange to admit calls. They never speak to the
application, and calls never import them.
"""
