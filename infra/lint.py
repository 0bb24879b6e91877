"""cdk-nag over everything that is made: AWS's own list of what a solution must heed. Each exception
is reasoned here, for the resource that it is for.
"""

from __future__ import annotations

import aws_cdk as cdk
import cdk_nag


def check(app: cdk.App) -> None:
    """Let the synthesis fail where a rule is broken and no reason given."""
    cdk.Aspects.of(app).add(cdk_nag.AwsSolutionsChecks(verbose=True))
