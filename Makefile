# Every target works as the first command on a bare checkout with Python >= 3.11 and make:
# it makes .venv itself, once, and again only when pyproject.toml changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# One for each core, and eight at most: twice as many take half as long, but some tests are about time.
PYTEST_WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, os.cpu_count() or 1))')
# Each worker reads all tests: rewriting their assertions anew takes ten seconds, reading what is cached one.
test test-slow: export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-all check format bench fuzz fuzz-short clean

help:  ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(READY)  ## run the bus with simulated sources and its own broker, and watch it
	@$(BIN)/python -m jitney.daemon.cli demo

test: $(READY)  ## the tests, but the slow ones, several at a time (PYTEST_WORKERS=0: one after another)
	$(BIN)/python -m pytest -m "not slow" --numprocesses $(PYTEST_WORKERS) --dist worksteal

test-slow: $(READY)  ## the slow tests
	$(BIN)/python -m pytest -m slow

test-all:  ## every test; one that finds no mosquitto fails
	JITNEY_REQUIRE_BROKER=1 $(MAKE) test
	JITNEY_REQUIRE_BROKER=1 $(MAKE) test-slow

check: $(READY)  ## format, lint, types and layers
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m ruff check
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy --explicit-package-bases bench fuzz
	$(BIN)/lint-imports

format: $(READY)  ## format the code and mend what ruff can mend
	$(BIN)/python -m ruff format
	$(BIN)/python -m ruff check --fix

bench: $(READY)  ## measure speed, guarantees and memory: about three quarters of an hour (bench/README.md)
	$(BIN)/python -m bench.publish
	$(BIN)/python -m bench.chaos
	$(BIN)/python -m bench.memory
	$(BIN)/python -m bench.mesh
	$(BIN)/python -m bench.strava_burst
	$(BIN)/python -m bench.routes
	$(BIN)/python -m bench.routes_cost
	$(BIN)/python -m bench.routes_noise
	$(BIN)/python -m bench.reload
	$(BIN)/python -m bench.traces

fuzz: $(VENV)/.atheris  ## a million hostile inputs for every entrance: about a quarter of an hour (fuzz/README.md)
	$(BIN)/python -m fuzz

fuzz-short: $(READY)  ## a minute of that
	$(BIN)/python -m fuzz --seconds 60 --engine own

clean:  ## remove the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Only some Pythons and machines have a wheel of atheris; elsewhere our own mutator makes all of the inputs.
$(VENV)/.atheris: $(READY)
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["fuzz"], sep="\n")' > $(VENV)/fuzz.txt
	@$(PIP) install --only-binary :all: --requirement $(VENV)/fuzz.txt || echo "No atheris for this Python: without it." >&2
	@touch $@

# pip before 25.1 knows no dependency groups: the one of pyproject.toml becomes a requirements file.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Jitney needs Python 3.11 or newer, and '$(PYTHON)' is not: try  make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "This Python cannot make virtual environments: on Debian  sudo apt install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV), once; it takes a minute." >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' > $(VENV)/dev.txt
	@$(PIP) install --editable '.[embedded,meshtastic,otel]' --requirement $(VENV)/dev.txt
	@touch $@
