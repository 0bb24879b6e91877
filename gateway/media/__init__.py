"""Audio of a call: the media stream to the application, the playout to the caller, the 20 ms clock.

It never knows TwiML, the leg that carries the audio, or why a call ends.
"""
