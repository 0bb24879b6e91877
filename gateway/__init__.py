"""A trunking provider of our own, compatible with Twilio: call legs on one side, Twilio's webhooks,
REST API and Media Streams on the other.

What Twilio would do for a number, this process does for ours: it posts signed webhooks, runs the
TwiML that comes back, answers the Calls REST API and speaks Media Streams. It knows nothing of the
application's accounts, lines or database, and keeps no state that outlives it.
"""
