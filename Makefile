# Everything needs only make and Python 3.11 or newer; each target installs what it needs first, once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
REQUIREMENTS := $(VENV)/.requirements-installed
INSTALLED := $(VENV)/.quash-installed

# What `make test` hands to pytest: make test TESTS=tests/unit, make test ARGS='-k ledger -x'.
TESTS ?=
ARGS ?=
# JOBS=auto spreads the tests over the cores; 0 runs them one after another.
JOBS ?= auto
# Most tests make files and wait for the disk to have them; what is in memory is written as soon as it is asked for.
export PYTEST_DEBUG_TEMPROOT ?= $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2000000 { print "/dev/shm" }')
# LOCK_ARGS=--upgrade takes what is newest; without it pins stay where they still fit.
LOCK_ARGS ?=

.PHONY: help install run test check mutants lint sizes bench bench-smoke pictures lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

install: $(INSTALLED) ## .venv with the locked packages and quash itself; costs nothing when it is there

# A shim may be on the path and start nothing, and Debian ships a Python without ensurepip: so each is tried, not looked at.
$(REQUIREMENTS): requirements.txt
	@found=; for name in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	  if "$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "quash needs Python 3.11 or newer with venv, and none was found on PATH." >&2; \
	  echo "On Debian and Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; \
	fi; \
	if ! $(PYTHON) -m pip --version >/dev/null 2>&1; then echo "Making $(VENV) with $$found."; "$$found" -m venv --clear $(VENV); fi
	@echo "Installing the locked packages into $(VENV); this takes about two minutes the first time."
# Compiling on install is pip's default and is said aloud: without it every start takes nearly three times as long.
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --compile --require-hashes --only-binary :all: -r requirements.txt
	@touch $@

# hatchling is in the lock, so that nothing unpinned is fetched to build.
$(INSTALLED): $(REQUIREMENTS) pyproject.toml
	@echo "Installing quash itself into $(VENV)."
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@$(PYTHON) -m compileall -q tui_app
	@touch $@

run: install ## the console on made-up data
	$(BIN)/quash demo

# A test that waits for a condition gives up in the end, and beside others on a busy machine that may be too soon: what
# failed is run once more, alone. What fails then has failed.
test: install ## the tests; those that need PostgreSQL or RabbitMQ skip where there is none
	$(PYTHON) -m pytest --numprocesses=$(JOBS) --dist=loadgroup $(ARGS) $(TESTS) || \
	  $(PYTHON) -m pytest --last-failed --last-failed-no-failures=none $(ARGS) $(TESTS)

mutants: install ## each broken variant of quash, which the test of its kind has to find: docs/failure-modes.md
	QUASH_TEST_MUTANTS=all $(PYTHON) -m pytest --numprocesses=$(JOBS) $(ARGS) tests/mutants

lint: install ## formatting, ruff, mypy, and which room may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

sizes: install ## the ten largest modules and classes: to look at, not a limit
	@cd tests && ../$(PYTHON) -m support.sizes

# The length of functions, the wheel, the documentation's claims and the benchmarks are tests like any other.
check: lint sizes ## all that must hold before a change lands
	@$(MAKE) --no-print-directory test

bench: install ## each benchmark in turn; benchmarks/README.md says how to read them
	@for script in $(filter-out benchmarks/compare.py,$(sort $(wildcard benchmarks/[a-z]*.py))); do echo "== $$script"; $(PYTHON) "$$script"; done

bench-smoke: install ## each benchmark with tiny numbers: that it runs, not what it measures
	$(PYTHON) -m pytest tests/benchmarks

pictures: install ## the screens shown in the documentation, drawn anew
	$(PYTHON) docs/pictures.py

lock: $(REQUIREMENTS) ## requirements.txt from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-header --output-file requirements.txt --quiet $(LOCK_ARGS)

clean: ## removes .venv and what the tools have cached
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist snapshot_report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
