"""Numbers that calls come in on: routing numbers, trunks and their DIDs."""
