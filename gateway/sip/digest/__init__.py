"""Digest authentication: challenges, and the credentials that answer them (RFC 7616, 8760)."""
