# make demo   runs the example project of this repository on this machine, for real
# make test   everything that CI runs: lint, types, layers, tests with coverage
# make fuzz   tries 20,000 repositories that were changed by chance (COUNT and SEED say how many, and which)
# make fuzz-server   asks the local server 5,000 requests that were changed by chance (COUNT and SEED as above)
# make test-faults   lets every request of every sort of apply go wrong in every way (needs Go; SEED, WORKERS, ARGS)
# make bench  measures kfgit beside its peers and floors (see benchmarks/)
#
# Both need only make, git and Python >= 3.11 with venv and pip. What else they use they install into $(VENV), once, by
# uv, or by pip where uv cannot reach a registry. A stamp there carries the checksum of pyproject.toml.

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SUM := $(shell cksum < pyproject.toml | tr ' ' '-')
DEMO_READY := $(VENV)/.kfgit-demo-$(SUM)
TEST_READY := $(VENV)/.kfgit-test-$(SUM)
# Without it nobody asks the cluster backend, and nobody counts what of it was tried.
GO := $(shell command -v go)
SECRET := .kfgit/secrets/deploy-target.env

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz fuzz-server test-faults bench format clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# Each command is shown as a user would type it.
define SHOW
set -e; show() { printf '\n$$ kfgit %s\n' "$$*"; $(BIN)/kfgit "$$@"; }
endef

demo: $(DEMO_READY) $(SECRET)
	@$(SHOW); \
	show validate; \
	show graph train-deploy -e local -o text; \
	show plan -e local; \
	show apply -e local --wait; \
	show runs show latest -e local; \
	show artifacts list -e local --run latest

test: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.cluster.binaries
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest --numprocesses=auto
	@find . -maxdepth 1 -name '.coverage.*' -empty -delete  # of processes that tests have killed
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report $(if $(GO),,--omit='kfgit/backends/cluster/*')

fuzz: $(TEST_READY)
	$(BIN)/python -m tests.hostile $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

fuzz-server: $(TEST_READY)
	$(BIN)/python -m tests.hostile.server $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

test-faults: $(TEST_READY)
	$(BIN)/python -m tests.cluster.matrix $(if $(SEED),--seed $(SEED)) $(if $(WORKERS),--workers $(WORKERS)) $(ARGS)

bench: $(TEST_READY)
	$(BIN)/python -m benchmarks

format: $(TEST_READY)
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean:
	rm -rf build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# A sample of what an operator would put there; the example signs its bundle with it.
$(SECRET):
	@mkdir -p $(@D)
	@printf 'token=demo-only\n' > $@

$(DEMO_READY): EXTRAS := local
$(TEST_READY): EXTRAS := local,dev
$(DEMO_READY) $(TEST_READY): | $(BIN)/python
	@echo "installing kfgit[$(EXTRAS)] into $(VENV) (once)"
	@PATH="$$PATH:$(abspath $(BIN))"; \
	uv --version >/dev/null 2>&1 || $(PIP) install --quiet uv; \
	uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable '.[$(EXTRAS)]' 2>/dev/null \
	  || $(PIP) install --quiet --editable '.[$(EXTRAS)]'
	@$(BIN)/python -m compileall -q kfgit
	@rm -f $(VENV)/.kfgit-$(if $(findstring dev,$(EXTRAS)),test,demo)-*
	@touch $@

# The first interpreter that is new enough, $(PYTHON) before others.
$(BIN)/python:
	@for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3.14; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$("$$candidate" --version)"; \
	    "$$candidate" -m venv $(VENV) && exit 0; \
	    rm -f $@; exit 1; \
	  fi; \
	done; \
	echo "kfgit needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing)." >&2; \
	echo "Name one that is: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	exit 1
