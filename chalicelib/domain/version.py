"""The version of Chamade SIP; `pyproject.toml` says the same."""

VERSION = "0.2.0"
