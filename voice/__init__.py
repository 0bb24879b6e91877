"""The voice host: it hears and speaks in calls whose agent deals in text alone (docs/contracts.md).

It knows neither the application nor the relay but for the wires between them.
"""
