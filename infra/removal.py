"""The policy of what outlives its stack."""

from __future__ import annotations

import aws_cdk as cdk

KEPT = cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""Kept when its stack or its place in the template goes, but not when the operation that made it is
rolled back: what a failed first deployment kept would be in the way of the next one (CloudFormation
template reference, "DeletionPolicy attribute", RetainExceptOnCreate)."""
