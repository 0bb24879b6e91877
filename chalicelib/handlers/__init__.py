"""Chalice blueprints: parse, call a service, answer. No rule lives here."""
