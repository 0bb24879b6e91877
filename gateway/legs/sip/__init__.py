"""SIP legs: the stack runs in child processes (`child/`), the calls' side of it is here.

The library underneath is young and written in C: what it takes down with it must be one child and
its calls, never the gateway.
"""
