"""Session descriptions, and how two sides agree on one stream of audio (RFC 8866, 3264, 4568)."""
