# Every target sets up .venv first, once; it is renewed when pyproject.toml, constraints.txt or the C++ code changes.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# A process a core, but few enough for the memory that each one needs.
TESTS := $(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal

.PHONY: help setup demo test test-slow check format bench docs clean

help:
	@echo 'make demo       set up, then show everything on generated pictures'
	@echo 'make test       set up, then run the tests'
	@echo 'make test-slow  set up, then run the tests that take minutes'
	@echo 'make check      style, types, architecture and documentation'
	@echo 'make format     put the code into shape'
	@echo 'make bench      measure on this machine'
	@echo 'make docs       write docs/reference from the code'
	@echo 'make clean      remove .venv and caches'

setup: $(READY)

demo: $(READY)
	$(BIN)/saccade demo

test: $(READY)
	$(TESTS)

test-slow: $(READY)
	$(TESTS) -m slow

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(TESTS) $(wildcard tests/test_architecture.py tests/test_docs.py)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/saccade bench

docs: $(READY)
	$(BIN)/python -m saccade.cli.reference

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

$(READY): pyproject.toml constraints.txt $(wildcard cpp/CMakeLists.txt cpp/scan/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "$(PYTHON) is missing or older than 3.11; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module; install it (on Debian and Ubuntu the package python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)
