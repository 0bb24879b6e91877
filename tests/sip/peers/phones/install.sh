#!/usr/bin/env bash
# Installs the packages of the list on standard input into .venv/phones. One that has none for this machine is
# left out: the tests of its phone are skipped then.
set -euo pipefail

while read -r -a packages; do
  .venv/phones/bin/pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: --no-deps "${packages[@]}" ||
    echo "${packages[0]} cannot be installed here: its tests are skipped" >&2
done
