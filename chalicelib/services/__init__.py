"""Use cases, one a module. Each takes `Dependencies` first, and domain values or ids after."""
