"""Tools that answer questions about the project, and are no part of it at run time."""
