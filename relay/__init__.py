"""The media relay: bridges a provider's media stream and an agent's audio socket, call by call.

It knows no database, no cloud and no provider's REST API, and decides no call's state: it asks the
application (`network/control.py`) and follows the answer.

`core/` has the rules, without I/O; `network/` the sockets, HTTP and the event loop; `protocol/` the
codecs.
"""
