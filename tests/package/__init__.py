"""The Lambda package: how large it is, and that it holds what the application imports."""
