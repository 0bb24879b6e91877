"""The trunks to register: fetched from the application, checked, and reported on.

Registering itself is done by the SIP legs, behind `host.py`. Trunks never know a call or a leg, and
are kept in memory only.
"""
