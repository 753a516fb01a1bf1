# Everything a checkout needs is built here, into .venv. `make demo` and `make test` are enough to start.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help install demo test lint bench bench-recovery test-matrix test-faults conformance lock clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.runtime  ## build .venv with what the service needs

demo: $(VENV)/.runtime  ## simulated gateway, service and page in one command; ARGS="--duration 30s" and others are passed on
	$(BIN)/ibkr-adapter demo $(ARGS)

test: $(VENV)/.dev  ## all tests; they bring what they need
	$(BIN)/pytest $(ARGS)

lint: $(VENV)/.dev  ## style, types, import contracts, and the core's rules
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/lint_core.py

bench: $(VENV)/.dev  ## our session against the bare official client, as ratios; how fast the simulator is; into benchmarks/results
	$(BIN)/python benchmarks/transport.py $(ARGS)
	$(BIN)/python benchmarks/simulator.py

bench-recovery: $(VENV)/.dev  ## how soon a lost connection is known, and how soon it is back; into benchmarks/results
	$(BIN)/python benchmarks/recovery.py $(ARGS)

test-faults: $(VENV)/.dev  ## every fault of connections by its row, the slow ones in virtual time
	$(BIN)/pytest -m fault $(ARGS)

test-matrix: $(VENV)/.dev  ## the wire tests on every supported release of the official client
	$(BIN)/python scripts/test_matrix.py $(ARGS)

conformance: $(VENV)/.dev  ## the official client, ib_async and ib_insync against the simulator
	$(BIN)/pytest tests/conformance $(ARGS)
	$(BIN)/pytest tests/tws_simulator -m wire $(ARGS)

lock: $(VENV)/.dev  ## resolve the dependencies anew
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  -o requirements/runtime.lock pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  -c requirements/runtime.lock -o requirements/dev.lock requirements/dev.in
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  -c requirements/runtime.lock -c requirements/dev.lock -o requirements/deploy.lock requirements/deploy.in
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --unsafe-package eventkit --unsafe-package tzdata \
	  -o requirements/clients.lock requirements/clients.in

clean:  ## remove what was built
	rm -rf $(VENV) .venv-matrix dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python requirements/runtime.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock requirements/clients.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/clients.lock
	touch $@
