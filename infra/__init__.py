"""The AWS side as a CDK app in Python: what `make synth` writes down and `make deploy` makes.

It is not part of what runs: nothing of the product imports it, and it has an environment of its own
(requirements.txt). What AWS and the local stack share lies beside it as plain files: the table, the
state machines, the stream's filter.
"""
