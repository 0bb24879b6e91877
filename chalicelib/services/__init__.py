"""Use cases, one a module. Each takes `Ports` first, and domain values or ids after."""
