"""The whole system on one machine: `make run`. Starts the parts, holds no logic they need."""
