"""SIP legs: the calls' side of SIP, on the libraries `gateway/sip` and `gateway/rtp`."""
