"""Counts of the requests that each scenario makes to AWS and to a provider, held to
expected.json.
"""
