"""Noisy neighbours: one tenant, or a stranger, takes all it can while another's calls go on."""
