"""The command line: `chamade NOUN VERB`. Needs the extra `cli` (click, rich)."""
