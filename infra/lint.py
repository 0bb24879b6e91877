"""cdk-nag over everything that is made: AWS's own list of what a solution must heed. Each exception
is reasoned in `EXCEPTIONS`, for the resources that it is for; a finding without one ends the
synthesis.
"""

from __future__ import annotations

import aws_cdk as cdk
import cdk_nag


def check(app: cdk.App) -> None:
    """Let the synthesis fail where a rule is broken and no reason given."""
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
