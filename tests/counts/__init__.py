"""What each scenario asks of AWS and of a provider, held to a committed table (expected.json)."""
