"""Measurements, not tests: `make bench`, or `python -m tests.load [name …]`.

Each bench is a module with `measure(options) -> Result`; `__main__.py` runs them, `report.py`
writes down what they say. docs/benchmarks.md tells how to read it. pytest collects nothing here.
"""
