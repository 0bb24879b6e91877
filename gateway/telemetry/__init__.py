"""Observation of the gateway: logs, the counters for `/metrics`, and lines of counts.

It never imports another room, and nothing here changes the course of a call.
"""
