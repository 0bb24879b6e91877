"""The only I/O of the SIP library: sockets and DNS."""
