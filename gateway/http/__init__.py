"""HTTP for every route of the gateway: the credentials, and the limits on connections.

It never knows a call, a trunk or a single route.
"""
