"""The SIP edge: Kamailio in front of the SIP children, with its configuration rendered from the
environment.

The SIP library in a child has no filter and does not authenticate callers, and malformed input can
crash it. So the children listen on loopback only, and the outside talks to the edge. The edge
filters and routes. It never decides about a call, and uses only the settings of the gateway.
See docs/sip.md.
"""
