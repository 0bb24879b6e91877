"""The engine without any account: models from packages, in worker processes of this machine."""
