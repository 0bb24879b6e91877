"""The language: what messages, headers and URIs are made of, and how they are read and written."""
