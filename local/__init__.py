"""The whole system on one machine: `make run`. Starts the parts; they need no code from here."""
