# What this needs: GNU make and Python 3.11 or newer. Everything else goes into $(VENV).
#   make demo    a calendar assistant that people sign in to, all on this machine
#   make test    run the tests            make test ARGS="tests/core -k state"
# Others: lint types floors docs-test mutants wheels check lock clean

VENV    ?= .venv
ARGS    ?=
PYTHON  ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14 python; do \
             $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
             && echo $$python && break; done)

BIN      := $(VENV)/bin
PIP      := $(BIN)/python -m pip --disable-pip-version-check --no-input
MEMBERS  := $(patsubst %/pyproject.toml,%,$(wildcard connectors/*/pyproject.toml embedded/pyproject.toml host/pyproject.toml \
             demo/pyproject.toml))
MANIFESTS := pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))
LOCAL    := -e . $(addprefix -e ./,$(MEMBERS))

.PHONY: help demo test lint format types floors docs-test mutants wheels tree check lock clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -4

demo: $(VENV)/.demo
	@$(BIN)/connectors demo $(ARGS)

test: $(VENV)/.development
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.development
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.development
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.development
	@$(BIN)/mypy

floors: $(VENV)/.development
	@$(BIN)/python checks/floors.py

docs-test: $(VENV)/.development
	@$(BIN)/python -m pytest -q tests/docs $(ARGS)

# Not part of check: it takes several minutes.
mutants: $(VENV)/.development
	@$(BIN)/python checks/mutants.py $(ARGS)

wheels: $(VENV)/.development
	@$(BIN)/python checks/wheels.py

tree: $(VENV)/.development
	@$(BIN)/python checks/tree.py

check: tree lint types floors test wheels

# The environment. A stamp is older than what it was made from when a lock or a manifest has changed.

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found." \
	  "Install it, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	  "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) --version 2>&1`." >&2; exit 1; }
	@echo "making $(VENV) with `$(PYTHON) --version`"
	@$(PYTHON) -m venv --clear $(VENV) || { echo \
	  "Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.demo: requirements/demo.txt $(MANIFESTS) | $(BIN)/python
	@echo "installing $$(grep -c == $<) pinned packages (requirements/demo.txt)"
	@$(PIP) install -qq --require-hashes -r $<
	@$(PIP) install -qq --no-deps --no-build-isolation $(LOCAL)
	@touch $@

$(VENV)/.development: requirements/development.txt $(MANIFESTS) | $(BIN)/python
	@echo "installing $$(grep -c == $<) pinned packages (requirements/development.txt)"
	@$(PIP) install -qq --require-hashes -r $<
	@$(PIP) install -qq --no-deps --no-build-isolation $(LOCAL)
	@touch $@ $(VENV)/.demo

# The locks. The demo's is a subset of the development's, with the same versions.

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  $(LOCK_ARGS) $(shell sed -n 's/^name = "\(connectors-[a-z0-9-]*\)"/--no-emit-package \1/p' $(MANIFESTS))

lock: $(VENV)/.development
	@$(COMPILE) $(MANIFESTS) requirements/demo.in -o requirements/demo.txt
	@$(COMPILE) --all-extras $(MANIFESTS) requirements/demo.in requirements/development.in \
	  -c requirements/demo.txt -o requirements/development.txt
	@grep -c == requirements/demo.txt requirements/development.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis .pytest_cache .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
