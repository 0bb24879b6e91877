"""The RTP plane: G.711 audio, keys and reports of all calls, over UDP.

It stands alone: it knows nothing of SIP, of the gateway or of this project. `plane` and `ports`
have the sockets and the clock; everything else is pure, and is passed bytes and the time (`now`, in
seconds of any monotonic clock). Audio is mu-law at 8 kHz in frames of 20 ms (160 bytes), whatever
the far end speaks.
"""
