# make run · make test · make trial · make floods · make lint · make languages · make bench · make vectors · make client
# Each makes .venv on its first run, and again when setup.cfg changes; later runs begin at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS := tests
EXTRAS := tests,lint,postgresql,redis,poster
SECONDS := 60
SLOW := 500
CLIENTS := 16
KINDS := flood

.PHONY: run test trial floods lint languages cldr bench vectors client clean
.DELETE_ON_ERROR:

## Server and workstation on this machine, to try them.
run: $(VENV)/installed
	@$(BIN)/whistle demo $(DEMO)

## The whole test suite; the closing lines say what was left out, and why. TESTS=tests/test_courier.py for a part.
test: $(VENV)/compiled
	$(BIN)/pytest -n auto --dist worksteal $(TESTS)

## What takes long, with full counts: hours. WHISTLE_FUZZ_SECONDS=60 fuzzes each target for a minute instead of ten.
trial: export WHISTLE_TRIAL = 1
trial: export WHISTLE_EXAMPLES ?= 2000
trial: $(VENV)/ready
	-@$(BIN)/pip install --quiet atheris
	$(BIN)/pytest -n auto --ignore tests/trial $(TESTS)
	$(BIN)/pytest tests/trial

## Every kind of flood, behind tor, with addresses and with circuits, and a table of what became of honest people.
## SECONDS=5 for each instead of a minute; SLOW= connections, CLIENTS= that flood; KINDS="pages or lookups" for some.
floods: export WHISTLE_TRIAL = 1
floods: export WHISTLE_TRIAL_FLOOD_SECONDS = $(SECONDS)
floods: export WHISTLE_TRIAL_FLOOD_SLOW = $(SLOW)
floods: export WHISTLE_TRIAL_FLOOD_CLIENTS = $(CLIENTS)
floods: $(VENV)/ready
	$(BIN)/pytest tests/trial/test_floods.py -k "under_a_flood and ($(KINDS))"

## Style and types; those of the browser's half where its tools are installed.
lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/mypy
	@if [ -d client/node_modules ]; then npm run --silent --prefix client types; \
	 else echo "left out: types in client/, since its tools are not installed (npm ci --prefix client)"; fi

## What is missing, wrong or stale in the translations; OWN=folder looks at an organisation's own files too.
languages: $(VENV)/installed
	@$(BIN)/python -m whistle.translations $(OWN)

## What the translations take of CLDR, anew from the Babel that is installed here.
cldr: $(VENV)/ready
	$(BIN)/python -m tests.make_cldr

## How fast, how large; what it writes is no part of the project.
bench: $(VENV)/ready
	$(BIN)/python -m tests.bench

## The test vectors, written anew; Python and JavaScript are held to them.
vectors: $(VENV)/ready
	$(BIN)/python -m tests.make_vectors

## The browser's half: whistle.js and pictures.js for the server, the viewer for the workstation, the same bytes every time.
client:
	npm ci --prefix client --no-audit --no-fund --loglevel=error
	npm run --prefix client build

$(VENV)/installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "whistle: error: Python 3.11 or newer is needed" >&2; \
	  echo "hint: install it, then: make $(or $(MAKECMDGOALS),run) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "whistle: error: Python's venv is missing" >&2; \
	  echo "hint: on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) and installing; this takes a minute, once."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable . || { \
	  echo "whistle: error: the installation failed" >&2; \
	  echo "hint: it needs the network once; see what pip says above, then run make again" >&2; exit 1; }
	@touch $@

$(VENV)/ready: $(VENV)/installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@

# The tests as pytest rewrites them, once for all workers: each would take ten seconds for it.
$(VENV)/compiled: $(VENV)/ready $(wildcard tests/*.py tests/*/*.py)
	-@$(BIN)/pytest --collect-only -qq tests >/dev/null 2>&1
	@touch $@

clean:
	rm -rf $(VENV) build dist
