"""A telephone in software, for tests, demonstrations and benchmarks.

It is a client of the gateway's socket legs. It never imports calls, legs or trunks: it shares only
the wire, the Basic credentials and the 20 ms clock with the gateway.
"""
