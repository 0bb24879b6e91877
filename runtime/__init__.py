"""Tools that relay and gateway share: logs, metrics, lines of counts, signed posts.

It imports neither of them, nor the application, which is packaged without it.
"""
