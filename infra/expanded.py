"""The application's template as CloudFormation will see it: Chalice's part is SAM, which AWS
expands at deployment. The same translator expands it here beforehand, so that checks see exactly
the resources that will be made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_ANY = {"Bucket": "bucket", "Key": "key"}
"""Any place of the package: the translator needs one, as literal text."""


def expand(template: Path) -> Path:
    """Write the expanded template beside the synthesised one."""
    import boto3
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    written: dict[str, Any] = json.loads(template.read_text())
    for resource in written["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = _ANY
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    made = translator.translate(written, parameter_values={})
    made.pop("Transform", None)
    expanded = template.with_name(template.name.replace(".template.json", ".expanded.json"))
    expanded.write_text(json.dumps(made, indent=1))
    return expanded
