"""`python -m infra`: write the templates to the CDK's output folder, or to `.local/synth`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import aws_cdk as cdk
from pydantic import ValidationError

from infra.expanded import expand
from infra.installation import OUT, install
from infra.settings import complaints, context, from_context


def main() -> int:
    """Write the templates and return 0; return 1 after a sentence for each invalid setting."""
    # The CDK's command line passes the context; without it, the context is read from cdk.json.
    app = cdk.App(outdir=os.environ.get("CDK_OUTDIR", str(OUT)), context=context())
    try:
        settings = from_context(app.node.try_get_context("chamade"))
    except ValidationError as error:
        for line in complaints(error):
            sys.stderr.write(f"infra/cdk.json: {line}\n")
        return 1
    install(app, settings)
    assembly = app.synth()
    expand(Path(assembly.directory) / f"{settings.name('application')}.template.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
