"""The engines: recognisers, which make text of speech, and synthesisers, which make speech of
text.
"""
