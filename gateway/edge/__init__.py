"""The SIP edge: Kamailio in front of the gateway, with its configuration rendered from the
environment.

The gateway's user agent has no rates, no bans and no list of peers. So it listens on loopback only,
and the outside talks to the edge, which filters and routes. The edge never decides about a call,
and uses only the settings of the gateway.
See docs/sip.md.
"""
