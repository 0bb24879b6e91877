"""The SIP edge: Kamailio before the SIP children, its configuration rendered from the environment.

The library underneath a child neither filters nor challenges, and malformed input can take it down.
So children listen on loopback, and this is what the world talks to. See docs/sip.md.
"""
