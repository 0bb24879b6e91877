"""Wire shapes that the relay and the gateway both speak: Twilio Media Streams and G.711.

One codec a shape. No I/O, no state: a module here turns bytes into values and back.
"""
