# Every target sets up what it lacks; nothing is installed outside .venv and .local, but for the
# Debian packages of the SIP tests.

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --jobs=3
endif
# Setting up is what there is to do side by side; recipes stay in their order.

export PYTHONDONTWRITEBYTECODE :=
# Tests start hundreds of processes of ours: they are not to compile us each time.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := pip install --quiet --disable-pip-version-check --no-compile
# Not compiled: most of what comes along is never imported, and compiling is half of the time.
PIP := $(BIN)/$(INSTALL) -c constraints.txt
REQUIREMENTS := requirements.txt relay/requirements.txt gateway/requirements.txt voice/requirements.txt local/requirements.txt
NODE_PACKAGES := asl-validator@4.0.0 axe-core@4.14.1 ws@8.23.0 \
  openapi-fetch@0.17.0 openapi-typescript@7.13.0 typescript@5.9.3
COVERED_BY_CALLS := $(addprefix --cov=,relay.core relay.network.key_reports)
COVERED_BY_RULES := $(addprefix --cov=,chalicelib.domain chalicelib.services)
INFRA := .venv/infra/bin
CDK_CLI := aws-cdk@2.1148.1
CDK := ../.venv/node/node_modules/.bin/cdk
COVERAGE := --cov-branch --cov-report=term:skip-covered --cov-fail-under=95
PYTEST := $(BIN)/python -m pytest

.PHONY: help run voice test test-all calls rules soak demo bench weigh openapi limits carriers fuzz doctor lint synth bootstrap deploy deploy-gateway adopt adopt-table destroy screenshots format constraints clean

help:  ## This list
	@grep -hE "^[a-z]+:.*##" Makefile | sed -E "s/:[^#]*## /\t/" | expand -t 14

# Ctrl-C in Python's first moments would be a traceback: it waits until there is a handler. GNU's env only.
HOLDING_CTRL_C = $(shell env --block-signal=INT true 2>/dev/null && echo env --block-signal=INT)

run: .venv/.stack .venv/.kernel  ## The whole system on this machine, until Ctrl-C
	@exec $(HOLDING_CTRL_C) $(BIN)/python -m local

voice: .venv/.voice  ## The models of hosted voice, for `make run` (once, 530 MB)
	@:

demo: .venv/.stack .venv/.kernel  ## Six calls on a stack of their own, 70 s; the last line is JSON
	@$(BIN)/python -m local.demo

TESTS := .venv/.dev .venv/.kernel .venv/.node .venv/.debian .venv/.phones .venv/.pipecat .venv/.conformance .venv/.infra .venv/.voice
# Tests of calls wait for sound most of the time. All others compute, in what time the calls leave (nice).
CALLS := $(addprefix tests/,sip unit/relay unit/gateway unit/rtp unit/local unit/runtime unit/providers integration mcp)
ALONE := tests/browser tests/voice tests/neighbours
RULES := tests $(addprefix --ignore=,$(CALLS) $(ALONE))
# Not three calls at a time, or telephones stutter.
WORKERS := -n 2 --dist loadgroup

test: $(TESTS)  ## Every capability, ten minutes; faults, floods and bounds at length are in test-all
	@$(MAKE) --no-print-directory calls rules
	@CHAMADE_TESTS_IN_TURN=yes $(PYTEST) tests/browser
	@CHAMADE_TESTS_IN_TURN=yes $(PYTEST) tests/voice

# Neighbours run alone, as browsers and voices do: paces are compared. Of two runs at once, one plays calls at a time.
test-all: $(TESTS)  ## All tests, twenty minutes; coverage of rules and bridge is held at 95 %; what CI runs
	@$(MAKE) --no-print-directory calls rules ALL=yes
	@CHAMADE_TESTS_IN_TURN=yes $(PYTEST) tests/browser
	@CHAMADE_TESTS_IN_TURN=yes $(PYTEST) tests/voice
	@CHAMADE_TESTS_IN_TURN=yes $(PYTEST) tests/neighbours

calls: export CHAMADE_TESTS_IN_TURN := yes
calls: export COVERAGE_FILE := .local/coverage-calls
calls:
	@$(PYTEST) $(WORKERS) $(if $(ALL),$(COVERED_BY_CALLS) $(COVERAGE),-m "not deep") $(CALLS)

# What it prints is shown when it is over, as `calls` prints meanwhile.
rules: export COVERAGE_FILE := .local/coverage-rules
rules:
	@mkdir -p .local
	@nice -n 19 $(PYTEST) $(WORKERS) $(if $(ALL),$(COVERED_BY_RULES) $(COVERAGE),-m "not deep") $(RULES) \
	  > .local/rules.log 2>&1; code=$$?; cat .local/rules.log; exit $$code

soak: .venv/.dev  ## All attacks at once for 30 minutes while 20 calls are carried; JSON in .local/bench
	@$(BIN)/python -m tests.neighbours.soak

bench: .venv/.dev .venv/.kernel .venv/.debian .venv/.voice  ## Measures, side by side; JSON in .local/bench
	@$(BIN)/python -m tests.load

weigh: .venv/.dev  ## What the Lambda package holds, and what it leaves out (docs/package.md)
	@$(BIN)/python -m tools.package

openapi: .venv/.dev  ## Rewrite docs/openapi.json after the API was changed
	@$(BIN)/python -m tools.openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json

limits: .venv/.dev  ## Rewrite docs/limits.md after a bound was changed
	@$(BIN)/python -m tools.limits

carriers: .venv/.dev  ## Rewrite docs/carriers.md after a preset of trunks was changed
	@$(BIN)/python -m tools.carriers

doctor: .venv/.stack  ## Look the running stack over
	@$(BIN)/python -m operations.admin doctor

fuzz: .venv/.dev  ## Made-up requests and orders of events by the thousand, twenty minutes
	@CHAMADE_TESTS=thorough $(BIN)/python -m pytest -q -s tests/integration/test_schemathesis.py \
	  tests/unit/services/test_any_order.py tests/integration/test_webhooks_out.py tests/integration/test_races.py \
	  tests/unit/gateway/sip/test_many_trunks.py tests/unit/sip/test_mutated_messages.py \
	  tests/unit/relay/test_mutated_wire_messages.py \
	  tests/unit/sip/syntax tests/unit/sip/transaction/test_unreliable_network.py tests/neighbours

lint: .venv/.dev  ## Style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

screenshots: .venv/.dev .venv/.debian  ## Take the dashboard's pictures again: docs/screenshots
	@$(BIN)/python -m tests.browser.screenshots

format: .venv/.dev  ## Rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

synth: .venv/.infra .venv/.node  ## The AWS templates, checked, in .local/synth; no account is needed
	@rm -rf .local/synth
	@$(INFRA)/python -m infra
	@$(INFRA)/cfn-lint --config-file infra/cfn-lint.yaml .local/synth/*.template.json .local/synth/*.expanded.json
	@for asl in infra/*.asl.json; do .venv/node/node_modules/.bin/asl-validator --json-path $$asl >/dev/null || exit 1; done
	@ls .local/synth/*.template.json

bootstrap: .venv/.infra .venv/.cdk  ## What the CDK needs in an account and region, once
	@cd infra && $(CDK) bootstrap --output '$(CURDIR)/.local/deploy'

DEPLOY = cd infra && $(CDK) deploy --output '$(CURDIR)/.local/deploy'

deploy: .venv/.infra .venv/.cdk  ## To AWS, as infra/cdk.json says, but for what would end the gateway's calls (docs/aws.md)
	@rm -rf .local/synth && $(INFRA)/python -m infra
	@$(INFRA)/python -m infra.restored .local/synth
	@$(DEPLOY) '*-data' '*-application'
	@$(INFRA)/python -m infra.gateway_changes .local/synth; code=$$?; \
	  [ $$code != 3 ] || { echo "This would end the gateway's calls. At a quiet time: make deploy-gateway"; exit 0; }; \
	  [ $$code = 0 ] || exit $$code; \
	  $(DEPLOY) --all

deploy-gateway: .venv/.infra .venv/.cdk  ## The same with the gateway: its live calls end
	@rm -rf .local/synth && $(INFRA)/python -m infra
	@$(INFRA)/python -m infra.restored .local/synth
	@$(DEPLOY) --all

adopt: .venv/.infra .venv/.cdk  ## As deploy, with the data that a destroyed installation has left
	@rm -rf .local/synth && $(INFRA)/python -m infra
	@$(INFRA)/python -m infra.kept .local/synth > .local/kept.json
	@cd infra && $(CDK) import '*-data' --resource-mapping '$(CURDIR)/.local/kept.json' --output '$(CURDIR)/.local/deploy'
	@$(DEPLOY) --all --import-existing-resources

adopt-table: .venv/.infra .venv/.cdk  ## As deploy, with a table that was restored (docs/runbooks.md)
	@rm -rf .local/synth && $(INFRA)/python -m infra
	@$(INFRA)/python -m infra.restored
	@$(DEPLOY) '*-data' --import-existing-resources
	@$(MAKE) deploy

destroy: .venv/.infra .venv/.cdk  ## Out of AWS again, but for what cannot be brought back
	@cd infra && $(CDK) destroy --all --output '$(CURDIR)/.local/deploy'

# pip comes last: where it is, the environment is whole.
.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

# Another branch and back makes these files newer, not other. Nothing is fetched then: it works offline.
.venv/.stack: constraints.txt client/pyproject.toml $(REQUIREMENTS) | .venv/bin/pip
	@cat $^ | cmp -s - $@ || { echo "setting up Python packages in .venv (once)" && \
	  $(PIP) -r local/requirements.txt -e './client[cli]' && \
	  ln -sf ../../operations/chamade-admin $(BIN)/chamade-admin; }
	@cat $^ > $@

# The relay's filters in C, where there is a compiler. Without them it takes numpy's.
.venv/.kernel: relay/kernel/chamade_kernel.c relay/kernel/pyproject.toml | .venv/.stack
	@$(PIP) ./relay/kernel 2> .venv/kernel.log || echo "no compiled audio filters (.venv/kernel.log): PCM agents cost the relay more"
	@rm -rf relay/kernel/build relay/kernel/*.egg-info
	@touch $@

.venv/.dev: .venv/.stack requirements-dev.txt
	@$(PIP) -r requirements-dev.txt
	@touch $@

.venv/.node: Makefile
	@command -v npm >/dev/null || { echo "npm is needed for what checks the state machine, the dashboard and what is for agents in Node.js: install Node.js 20" >&2; exit 1; }
	@npm install --silent --no-audit --no-fund --no-package-lock --prefix .venv/node $(NODE_PACKAGES) >/dev/null
	@touch $@

# The Pipecat bot of examples/, in an environment of its own: what a bot needs is none of ours.
.venv/.pipecat: examples/pipecat_bot/requirements.txt | .venv/bin/pip
	@echo "setting up Pipecat in .venv/pipecat (once, 190 MB)"
	@$(BIN)/python -m venv .venv/pipecat
	@.venv/pipecat/bin/$(INSTALL) --no-deps -r $<
	@touch $@

# Phones of other SIP stacks, in an environment of their own: none of ours has their packages.
.venv/.phones: tests/sip/peers/phones/packages.txt tests/sip/peers/phones/install.sh | .venv/bin/pip
	@echo "setting up phones of other SIP stacks in .venv/phones (once, 35 MB)"
	@$(BIN)/python -m venv .venv/phones
	@tests/sip/peers/phones/install.sh < $<
	@touch $@

# The models that hear and speak, in an environment of their own: their worker processes run there only.
.venv/.voice: voice/requirements-local.txt | .venv/bin/pip
	@echo "setting up speech models in .venv/voice (once, 530 MB)"
	@$(BIN)/python -m venv .venv/voice
	@.venv/voice/bin/$(INSTALL) --require-hashes -r $<
	@touch $@

# The AWS infrastructure, in an environment of its own: the CDK is large, and nothing of it is deployed.
.venv/.infra: infra/requirements.txt requirements.txt constraints.txt | .venv/bin/pip
	@echo "setting up the AWS CDK in .venv/infra (once, 850 MB)"
	@$(BIN)/python -m venv .venv/infra
	@$(INFRA)/$(INSTALL) -c constraints.txt -r infra/requirements.txt -r requirements.txt
	@touch $@

.venv/.cdk: Makefile
	@npm install --silent --no-audit --no-fund --no-package-lock --prefix .venv/node $(CDK_CLI) >/dev/null
	@touch $@

.venv/.conformance: tests/mcp/install.sh | .venv/bin/pip
	@tests/mcp/install.sh
	@touch $@

# Debian packages, the one thing that is installed outside: the programs we talk SIP to in tests, and
# the browser. One rule for both lists: two apt-gets at a time get in each other's way.
.venv/.debian: tests/packages.txt tests/install.sh | .venv/bin/pip
	@tests/install.sh < $<
	@touch $@

constraints: .venv/.dev  ## After a version was changed
	@{ echo "# Every version, exactly: pip install -c constraints.txt. Made by 'make constraints'."; $(BIN)/pip freeze --exclude-editable; } > constraints.txt

clean:  ## Forget everything: packages, state
	rm -rf .venv .local
