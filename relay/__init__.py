"""The media relay: bridges a provider's media stream and an agent's audio socket, call by call.

It knows no database, no cloud and no provider's REST, and decides no call's state: what it needs
to know it asks the application over `control.py`, and it obeys the answer.
"""
