"""SIP legs: the calls' side of SIP. The SIP stack itself runs in child processes (`child/`).

The SIP library is young and written in C. If it crashes, only one child and its calls may be lost,
never the gateway.
"""
