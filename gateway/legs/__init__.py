"""Call legs: how a caller or called party is reached. One interface, one module a technology."""
