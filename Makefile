# Needs Python 3.11+, make and Linux; everything else is fetched. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(READY) ## Show Hotdesk at work on this machine: a real API server, a simulated AWS, machines that answer
	@$(BIN)/hotdesk local demo

.PHONY: up
up: $(READY) ## Start the local stack and leave it running
	@$(BIN)/hotdesk local up

.PHONY: down
down: $(READY) ## End what `make up` started
	@$(BIN)/hotdesk local down

.PHONY: test
test: $(READY) ## Run every check and test (builds the control plane the first time)
	@$(BIN)/hotdesk local build
	@$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder # a third of the time is waiting

.PHONY: test-fast
test-fast: $(READY) ## Run what needs no control plane
	@$(BIN)/python -m pytest -m "not stack and not laws" --ignore=tests/editors

.PHONY: test-laws
test-laws: $(READY) ## Have the law machine find the planted bugs; try more ways to die (some minutes)
	@$(BIN)/python -m pytest -m laws tests/laws tests/e2e/test_e2e_crash.py

.PHONY: test-editors
test-editors: $(READY) ## Ask a real Jupyter server and a real code-server who is at work (needs node and npm; 5 minutes)
	@$(BIN)/python -m pytest -m "editors or not editors" tests/editors

.PHONY: soak
soak: $(READY) ## Let both law machines run on random seeds by turns (SOAK_MINUTES=30)
	@PYTHONPATH=tests $(BIN)/python -m laws

.PHONY: chaos
chaos: $(READY) ## Let things go wrong on the real stack: processes, clocks, network, disk (CHAOS_MINUTES=10, CHAOS_SEED=1)
	@$(BIN)/hotdesk local build
	@PYTHONPATH=tests $(BIN)/python -m chaos

.PHONY: bench
bench: $(READY) ## Measure claims against an ideal client, in one run
	@PYTHONPATH=tests $(BIN)/python -m bench

.PHONY: bench-scale
bench-scale: $(READY) ## Measure claims, restart, memory and rest beside 10,000 workspaces, in half an hour
	@PYTHONPATH=tests $(BIN)/python -m bench.scale

.PHONY: bench-gateway
bench-gateway: $(READY) ## Measure one gateway with 10,000 workspaces that beat
	@PYTHONPATH=tests $(BIN)/python -m bench.gateway

.PHONY: lint
lint: $(READY) ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: generate
generate: $(READY) ## Write crds/ from the models
	$(BIN)/hotdesk crds --out crds

.PHONY: verify
verify: generate lint test ## Everything a change must pass, from a clean tree to a clean tree
	@git diff --exit-code -- crds

.PHONY: lock
lock: $(READY) ## Lock the dependencies anew
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --python-version 3.11 --all-extras pyproject.toml -o requirements-dev.lock

.PHONY: clean
clean: ## Remove the environment and what the local stack left (the built control plane stays in the user's cache)
	rm -rf $(VENV) .hotdesk .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hotdesk needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …")'
	@echo "Setting up $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements-dev.lock
	@$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@
