# Omium: everything a developer runs. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# The first Python that is new enough; looked for only when an environment is made.
PYTHON ?= $(or $(shell for name in python3 python3.13 python3.12 python3.11; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done),python3)
VENV ?= .venv
LOWEST ?= .venv-lowest
PEERS ?= .venv-peers
# The older lines of LangGraph that pyproject.toml allows, each in an environment of its own.
LINES := 1.0 1.1
# The oldest CrewAI that pyproject.toml allows; requirements/crewai.txt holds the newest.
CREWAI_LINES := 1.15.0
BIN := $(VENV)/bin
# One stamp per lock file: a second run finds it newer than the lock and is instant, with or without a network.
DEV := $(VENV)/.installed-dev
# Folders that hold Python; those still to come are left out.
SOURCES := $(wildcard omium tests tools examples benchmarks)
TYPED := $(wildcard omium tools examples benchmarks tests/typing)
PYTEST_ARGS ?=
BENCH_ARGS ?=
LOCK ?= base

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(DEV) ## make .venv from the lock (the other targets do it when needed)

INPUTS := tools/environment.py pyproject.toml
$(VENV)/.installed-%: requirements/%.txt $(INPUTS)
	@$(PYTHON) tools/environment.py $(@D) $*
	@touch $@

$(LOWEST)/.installed-%: requirements/%.txt $(INPUTS)
	@$(PYTHON) tools/environment.py $(@D) $*
	@touch $@

$(PEERS)/.installed-%: requirements/%.txt $(wildcard requirements/peers/*.json) $(INPUTS) tools/install_restate.py
	@$(PYTHON) tools/environment.py $(@D) $*
	@$(PYTHON) tools/install_restate.py $(@D)
	@touch $@

.PHONY: run
run: $(DEV) ## run a server with its data in .data/ (Ctrl-C stops it)
	@$(BIN)/omium serve --data .data

.PHONY: demo
demo: $(VENV)/.installed-demo $(VENV)/.installed-model ## kill a real graph and a real crew, go on, patch and replay
	@$(MAKE) --no-print-directory .venv-crewai/.installed || echo "CrewAI is not installed: its part will be left out."
	@$(BIN)/python examples/demo/run.py .venv-crewai

.PHONY: demo-crew
demo-crew: $(VENV)/.installed-demo $(VENV)/.installed-model ## kill the server inside each agent of a workflow, pay no answer twice
	@$(BIN)/python examples/demo/workflow.py

.PHONY: test
test: $(DEV) ## run all tests (PostgreSQL too, if it is installed)
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup $(PYTEST_ARGS)

.PHONY: coverage
coverage: $(DEV) ## run all tests and list the lines and branches that none has reached (takes half as long again)
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

.PHONY: check check-lint check-format check-types check-layers check-lock
check: check-lint check-format check-types check-layers check-lock ## lint, format, types, layers, lock (-k: all of them)
check-lint: $(DEV)
	@$(BIN)/ruff check $(SOURCES)
check-format: $(DEV)
	@$(BIN)/ruff format --check $(SOURCES)
check-types: $(DEV)
	@$(BIN)/mypy $(TYPED)
check-layers: $(DEV)
	@$(BIN)/lint-imports --no-logo
check-lock: $(DEV)
	@$(BIN)/python tools/lock.py --check

.PHONY: format
format: $(DEV) ## format the code and sort the imports
	@$(BIN)/ruff check --fix-only --quiet $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

.PHONY: lock
lock: $(DEV) $(VENV)/.installed-lock ## pin today's versions in requirements/ (needs a package index)
	@$(BIN)/python tools/lock.py

.PHONY: beside
beside: $(DEV) $(VENV)/.installed-lock ## resolve Omium beside each framework's newest version (needs a package index)
	@$(BIN)/python tools/beside.py

.PHONY: lowest
lowest: $(LOWEST)/.installed-lowest ## run all tests with the oldest dependencies that pyproject.toml allows
	@$(LOWEST)/bin/python -m pytest -q -n 3 --dist loadgroup -p no:cacheprovider $(PYTEST_ARGS)

.PHONY: torture
torture: $(DEV) ## try every promise for a night, write docs/reliability.md (PYTEST_ARGS="--torture-scale 0.1 -k kill")
	@rm -rf .torture/long
	@$(BIN)/python -m pytest -q tests/faults --torture $(PYTEST_ARGS)
	@$(BIN)/python tools/generate_reliability.py --from .torture/long

.PHONY: bench
bench: $(DEV) ## measure speed and size beside peers and floors, write docs/benchmarks.md (BENCH_ARGS=--list)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m benchmarks $(BENCH_ARGS)

.PHONY: bench-peers
bench-peers: $(PEERS)/.installed-peers ## install what "make bench" runs Omium beside into .venv-peers

# Each of these lock files has an environment of its own.
.venv-%/.installed: requirements/%.txt $(INPUTS)
	@$(PYTHON) tools/environment.py $(@D) $*
	@touch $@

.PHONY: model-prices
model-prices: .venv-prices/.installed ## make the bundled table of model prices from the package's newest
	@$(<D)/bin/python tools/generate_model_prices.py

.PRECIOUS: .venv-%/.installed
langgraph-%: .venv-langgraph-%/.installed
	@$(<D)/bin/python -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider tests/langgraph $(PYTEST_ARGS)

.PHONY: langgraph
langgraph: $(DEV) langgraph-$(firstword $(LINES)) ## run the graphs' tests on the oldest and the newest line of LangGraph
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup tests/langgraph $(PYTEST_ARGS)

# With --torture these files try each place to die in through each way to call what dies.
MATRIX := -q -n 2 --dist loadgroup -p no:cacheprovider --torture $(PYTEST_ARGS)
.PHONY: crash-matrix
crash-matrix: crash-matrix-langgraph crash-matrix-crewai crash-matrix-sematic ## kill graphs, crews, flows and pipelines in each place, each way
crash-matrix-langgraph: $(DEV) ## only the graphs of it
	@$(BIN)/python -m pytest $(MATRIX) tests/langgraph/test_crash.py
crash-matrix-%: .venv-%/.installed
	@$(<D)/bin/python -m pytest $(MATRIX) tests/$*/test_crash.py

.PHONY: dashboard-matrix
dashboard-matrix: $(DEV) ## press every key of the dashboard on every page at every size, read-only too; hostile strings in all
	@$(BIN)/python -m pytest $(MATRIX) tests/tui/test_keys_pressed.py tests/tui/test_hostile_strings.py

.PHONY: crewai
crewai: .venv-crewai/.installed ## run the crews' and flows' tests with CrewAI, in .venv-crewai
	@$(<D)/bin/python -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider tests/crewai $(PYTEST_ARGS)

# Beside it is an OpenTelemetry that warns as it is imported; one of pytest's own plugins would do that.
crewai-%: .venv-crewai-%/.installed
	@$(<D)/bin/python -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider -p no:langsmith_plugin tests/crewai $(PYTEST_ARGS)

.PHONY: sematic
sematic: .venv-sematic/.installed ## run the pipelines' tests with Sematic, in .venv-sematic
	@$(<D)/bin/python -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider tests/sematic $(PYTEST_ARGS)

.PHONY: frameworks
frameworks: .venv-frameworks/.installed ## run the tests with OpenAI Agents, Semantic Kernel, Haystack and LlamaIndex
	@$(<D)/bin/python -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider tests/frameworks $(PYTEST_ARGS)

.PHONY: otel
otel: .venv-otel/.installed ## run the tests with OpenTelemetry's exporter and real instrumentors, in .venv-otel
	@$(<D)/bin/python -m pytest -q -p no:cacheprovider tests/otel $(PYTEST_ARGS)

.PHONY: test-all
test-all: test lowest $(LINES:%=langgraph-%) crewai $(CREWAI_LINES:%=crewai-%) sematic frameworks otel crash-matrix ## run all tests with the newest and the oldest dependencies and frameworks

.PHONY: docs
docs: $(DEV) ## run the documentation's snippets and check its links
	@$(BIN)/python -m pytest -q tests/docs $(PYTEST_ARGS)

.PHONY: wheelhouse
wheelhouse: $(DEV) ## fill wheelhouse/ for a machine without a network (LOCK=dev: what the tests need, too)
	@$(BIN)/python -m pip download --quiet --no-deps --only-binary :all: --require-hashes -r requirements/$(LOCK).txt -d wheelhouse
	@$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir wheelhouse .
	@echo "Install it with: pip install --no-index --find-links wheelhouse omium-os"

.PHONY: clean
clean: ## remove caches and what was built, keep .venv
	@rm -rf build dist htmlcov wheelhouse .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .torture
	@find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +
