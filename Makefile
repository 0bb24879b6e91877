# Every target sets up what it lacks; nothing is installed outside .venv and .local, but for the
# Debian packages of the SIP tests.

MAKEFLAGS += --jobs=3
# Setting up is what there is to do side by side; recipes stay in their order.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
REQUIREMENTS := requirements.txt relay/requirements.txt gateway/requirements.txt local/requirements.txt
NODE_PACKAGES := asl-validator@4.0.0 axe-core@4.14.1
COVERED := chalicelib.domain chalicelib.services relay.bridge relay.speech relay.hearing relay.talk relay.watch \
  relay.playout relay.drops relay.dialling relay.keys relay.wishes
PYTEST := $(BIN)/python -m pytest $(addprefix --cov=,$(COVERED)) --cov-branch

.PHONY: help run test demo bench weigh openapi fuzz lint synth format constraints clean

help:  ## This list
	@grep -hE "^[a-z]+:.*##" Makefile | sed -E "s/:[^#]*## /\t/" | expand -t 14

run: .venv/.stack  ## The whole system on this machine, until Ctrl-C
	@exec $(BIN)/python -m local

demo: .venv/.stack  ## Six calls on a stack of their own, 70 s; the last line is JSON
	@$(BIN)/python -m local.demo

test: .venv/.dev .venv/.node .venv/.debian .venv/.pipecat .venv/.conformance  ## All tests; coverage of the rules and of the bridge is held at 95 %
	@$(PYTEST) -n 2 --dist loadfile --cov-report= tests/unit tests/counts tests/package tests/sip
	@$(PYTEST) -n 2 --dist loadfile --cov-append --cov-report=term:skip-covered \
	  --cov-fail-under=95 tests/integration tests/mcp tests/browser

bench: .venv/.dev .venv/.debian  ## Measures, side by side; JSON in .local/bench
	@$(BIN)/python -m tests.load

weigh: .venv/.dev  ## What the Lambda package holds, and what it leaves out (docs/package.md)
	@$(BIN)/python -m tools.package

openapi: .venv/.dev  ## Rewrite docs/openapi.json after the API was changed
	@$(BIN)/python -m chalicelib.handlers.openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json

fuzz: .venv/.dev  ## Made-up requests and orders of events by the thousand, a quarter of an hour
	@CHAMADE_TESTS=thorough $(BIN)/python -m pytest -q -s tests/integration/test_schemathesis.py \
	  tests/integration/test_any_order.py tests/integration/test_webhooks_out.py

lint: .venv/.dev  ## Style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: .venv/.dev  ## Rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

synth:  ## The AWS templates (not there yet)
	@echo "The AWS infrastructure is not written yet; infra/ holds the table and the state machine." >&2
	@exit 1

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.stack: .venv/bin/python constraints.txt client/pyproject.toml $(REQUIREMENTS)
	@echo "setting up Python packages in .venv (once)"
	@$(PIP) -r local/requirements.txt -e './client[cli]'
	@touch $@

.venv/.dev: .venv/.stack requirements-dev.txt
	@$(PIP) -r requirements-dev.txt
	@touch $@

.venv/.node: Makefile
	@command -v npm >/dev/null || { echo "npm is needed for what checks the state machine and the dashboard: install Node.js 20" >&2; exit 1; }
	@npm install --silent --no-audit --no-fund --no-package-lock --prefix .venv/node $(NODE_PACKAGES) >/dev/null
	@touch $@

# The Pipecat bot of examples/, in an environment of its own: what a bot needs is none of ours.
.venv/.pipecat: examples/pipecat_bot/requirements.txt | .venv/bin/python
	@echo "setting up Pipecat in .venv/pipecat (once, 190 MB)"
	@$(BIN)/python -m venv .venv/pipecat
	@.venv/pipecat/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

.venv/.conformance: tests/mcp/install.sh | .venv/bin/python
	@tests/mcp/install.sh
	@touch $@

# Debian packages, the one thing that is installed outside: the programs we talk SIP to in tests, and
# the browser. One rule for both lists: two apt-gets at a time get in each other's way.
.venv/.debian: tests/packages.txt tests/install.sh | .venv/bin/python
	@tests/install.sh < $<
	@touch $@

constraints: .venv/.dev  ## After a version was changed
	@{ echo "# Every version, exactly: pip install -c constraints.txt. Made by 'make constraints'."; $(BIN)/pip freeze --exclude-editable; } > constraints.txt

clean:  ## Forget everything: packages, state
	rm -rf .venv .local
