"""The sockets and HTTP of the voice host."""
