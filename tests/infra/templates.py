"""Synthesised templates, and look-ups in them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.engine import ROOT

PYTHON = ROOT / ".venv" / "infra" / "bin" / "python"
STACKS = ("data", "application", "media", "watch")


@dataclass(frozen=True)
class Installation:
    """Four templates."""

    folder: Path
    stage: str
    said: str

    def path(self, stack: str) -> Path:
        return self.folder / f"chamade-{self.stage}-{stack}.template.json"

    def template(self, stack: str) -> dict[str, Any]:
        return json.loads(self.path(stack).read_text())

    def resources(self, stack: str) -> dict[str, dict[str, Any]]:
        return self.template(stack)["Resources"]

    def expanded(self) -> dict[str, dict[str, Any]]:
        """The application's resources after SAM, as CloudFormation will make them."""
        path = self.folder / f"chamade-{self.stage}-application.expanded.json"
        return json.loads(path.read_text())["Resources"]

    def all(self, type_: str) -> list[dict[str, Any]]:
        """The resources of a type, of all stacks."""
        return [
            resource
            for stack in STACKS
            for resource in self.resources(stack).values()
            if resource["Type"] == type_
        ]

    def properties(self, type_: str, **wanted: Any) -> list[dict[str, Any]]:
        """The properties of the resources of a type that have these."""
        found = [each["Properties"] for each in self.all(type_)]
        return [each for each in found if wanted.items() <= _hashable(each, wanted)]

    def only(self, type_: str, **wanted: Any) -> dict[str, Any]:
        """The properties of the one resource of a type that has these."""
        (found,) = self.properties(type_, **wanted)
        return found

    def function(self, name: str) -> dict[str, Any]:
        """The properties of a function, as infra/settings.py calls it."""
        words = "API_handler" if name == "api_handler" else name
        id_ = "".join(part[0].upper() + part[1:] for part in words.split("_"))
        function: dict[str, Any] = self.resources("application")[id_]["Properties"]
        return function

    def statements(self, role: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the statements of the policies of a role, given by reference."""
        name = role["Fn::GetAtt"][0]
        return [
            statement
            for policy in self.properties("AWS::IAM::Policy")
            if {"Ref": name} in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]


def _hashable(properties: dict[str, Any], wanted: dict[str, Any]) -> Any:
    return {name: properties.get(name) for name in wanted}.items()


def synthesised(folder: Path, **settings: Any) -> Installation:
    """Synthesise with these settings instead of infra/cdk.json's, without any account."""
    context = json.loads((ROOT / "infra" / "cdk.json").read_text())["context"]
    given = {**context["chamade"], **settings}
    variables = {
        "CDK_OUTDIR": str(folder),
        "CDK_CONTEXT_JSON": json.dumps({**context, "chamade": given}),
    }
    return Installation(folder, given["stage"], _run(["infra"], variables))


def synthesised_variants(
    folder: Path, variants: Mapping[str, Mapping[str, Any]]
) -> dict[str, Installation]:
    """Synthesise once for each of these settings. The templates lack what only `python -m infra`
    does: cdk-nag, and SAM's expansion."""
    _run(["tests.infra.variants", str(folder)], {}, json.dumps(variants))
    return {
        name: Installation(folder / name, settings.get("stage", "prod"), "")
        for name, settings in variants.items()
    }


def _run(module: list[str], variables: Mapping[str, str], given: str | None = None) -> str:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        **variables,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    assert PYTHON.exists(), "run `make test`: it sets up .venv/infra"
    done = subprocess.run(
        [PYTHON, "-m", *module], input=given,
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    if done.returncode:
        raise RuntimeError(said[-4000:])
    return said


def actions(statements: list[dict[str, Any]]) -> set[str]:
    """All actions that are allowed."""
    return {action for statement in statements for action in listed(statement["Action"])}


def listed(one_or_more: Any) -> list[Any]:
    """Policies leave out the brackets around one."""
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]
