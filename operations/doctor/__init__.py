"""Checks of an installation: that every part answers, that the parts trust each other, that the
resources are as `infra/` made them. Each check says what it saw and, if something is wrong, what to
do. No check changes anything.
"""
