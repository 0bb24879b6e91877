"""Dialogs and what is done in them: calls in and out, their refreshes, transfers and ends."""
