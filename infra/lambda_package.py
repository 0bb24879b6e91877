"""The zip that Chalice made, without files that the application does not use
(tools/not_packaged.txt), and with bytecode: Lambda cannot store bytecode, and would compile every
module at each cold start.

The same code and requirements give the same bytes, so that unchanged functions are not deployed
again.
"""

from __future__ import annotations

import compileall
import csv
import hashlib
import io
import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from py_compile import PycInvalidationMode

from chalice.cdk import Chalice
from packaging.utils import canonicalize_name

from infra.package import STAGED
from infra.webhook_handler import split
from tools.package import LEFT_OUT, RUN_TIME, Rules, needed

TASK_ROOT = "/var/task"
"""The package's folder in Lambda, which tracebacks name."""
_DATE = (1980, 1, 1, 0, 0, 0)


class TrimmedChalice(Chalice):  # type: ignore[misc]
    """Chalice's construct, which also trims the zip and adds the webhooks' function to the template
    (infra/webhook_handler.py).
    """

    def _package_app(self) -> None:
        super()._package_app()
        made = Path(self._sam_package_dir)
        trim(made / "deployment.zip", STAGED.parent / "trimmed")
        template = json.loads((made / "sam.json").read_text())
        split(template)
        (made / "sam.json").write_text(json.dumps(template, indent=2))


def trim(package: Path, kept: Path) -> None:
    """Trim a zip in place. `kept`: a folder of zips trimmed before, named after their input."""
    rules = LEFT_OUT.read_bytes()
    code = Path(__file__).read_bytes()
    of = hashlib.sha256(package.read_bytes() + rules + code + sys.version.encode()).hexdigest()
    made = kept / f"{of}.zip"
    if not made.exists():
        kept.mkdir(parents=True, exist_ok=True)
        for former in kept.glob("*.zip"):
            former.unlink()
        with tempfile.TemporaryDirectory(prefix="chamade-package-") as folder:
            _unpack(package, Path(folder), Rules.read(rules.decode()))
            _compile(Path(folder))
            _pack(Path(folder), made)
    shutil.copyfile(made, package)


def _unpack(package: Path, folder: Path, rules: Rules) -> None:
    with zipfile.ZipFile(package) as whole:
        useless = _useless(whole, needed(rules)) - set(RUN_TIME)
        for name in whole.namelist():
            if name not in useless and rules.keeps(name):
                whole.extract(name, folder)


def _useless(whole: zipfile.ZipFile, wanted: set[str]) -> set[str]:
    """Return the files of distributions that are not wanted, as the RECORD files in the zip list
    them."""
    found: set[str] = set()
    for name in whole.namelist():
        folder, _, file = name.rpartition("/")
        if file != "RECORD" or not folder.endswith(".dist-info"):
            continue
        if canonicalize_name(folder.split("-")[0]) not in wanted:
            lines = io.TextIOWrapper(whole.open(name), "utf-8", newline="")
            found |= {row[0] for row in csv.reader(lines) if row}
    return found


def _compile(folder: Path) -> None:
    compileall.compile_dir(
        folder,
        quiet=2,  # a library may contain a template that is not valid Python
        stripdir=str(folder),
        prependdir=TASK_ROOT,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )


def _pack(folder: Path, made: Path) -> None:
    part = made.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as package:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _DATE)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                package.writestr(entry, path.read_bytes())
    part.rename(made)
