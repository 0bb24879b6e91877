"""What answers questions about the project, and is no part of it at run time."""
