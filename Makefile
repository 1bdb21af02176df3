# make run · make test · make lint · make vectors · make bench
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.PHONY: run test lint vectors bench

run: $(STAMP)
	@$(BIN)/whistle demo

test: $(STAMP)
	@$(BIN)/python -m pytest -q -n auto --dist worksteal

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/mypy

vectors: $(STAMP)
	@$(BIN)/python -m tests.make_vectors

bench: $(STAMP)
	@$(BIN)/python -m tests.bench

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "hint: Whistle needs Python 3.11 or newer; name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	    { echo "hint: install what makes virtual environments, on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[postgresql,redis,tests,lint]'
	@touch $(STAMP)
