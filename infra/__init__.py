"""The AWS side as a CDK app in Python: `make synth` writes templates, `make deploy` deploys them.

Nothing of the product imports this package, and it has a virtual environment of its own
(requirements.txt). AWS and the local stack share the plain files in this folder: the table, the
state machines, the stream's filter.
"""
