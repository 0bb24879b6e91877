"""A SIP user agent, sans I/O."""
