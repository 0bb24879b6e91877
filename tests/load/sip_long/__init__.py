"""The long run: mixed SIP calls for hours. Nothing may grow, and nothing may be left behind."""
