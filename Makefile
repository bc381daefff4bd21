# Everything installs itself into .venv first, from the locked files in requirements/.
# PYTHON=/path/to/python3.12 chooses another interpreter for a new .venv, JOBS=4 more test processes.

PYTHON ?= python3
JOBS ?= 2

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet
OURSELVES := $(INSTALL) --no-deps --no-build-isolation --editable .
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(UPGRADE)

.PHONY: help demo test test-real chaos fuzz mutants bench bench-small docs lint lock clean

help:
	@echo 'make demo   a campaign of 1,000 people, end to end, on embedded parts'
	@echo 'make test   all tests that need nothing but Python'
	@echo 'make test-real  those with postfix, redis-server, nginx and chromium, as far as installed'
	@echo 'make chaos  kill everything at any moment, and count; CHAOS="--seed 1 --people 2000"'
	@echo 'make mutants  defects made by hand, each caught by its test; MUTANTS="NAME ..."'
	@echo 'make fuzz   all property tests with ever new examples; FUZZ="--minutes 60"'
	@echo 'make bench  how fast, beside the ceiling and plain arq; BENCH="--quick", BENCH="--million"'
	@echo 'make docs   what is generated in the documents, anew'
	@echo 'make lint   formatting, lint, types, import rules'
	@echo 'make lock   requirements/*.txt anew from pyproject.toml; UPGRADE=--upgrade for newer ones'
	@echo 'make clean  remove .venv and caches, never any state'

demo: .venv/.runtime
	@$(BIN)/python -m worker.demo

test: .venv/.dev
	$(BIN)/pytest -n $(JOBS)

# A test whose program is missing is skipped with a sentence. Where all are, that is no failure.
test-real: .venv/.dev
	$(BIN)/pytest -n $(JOBS) -m real tests/real

chaos: .venv/.dev
	@$(BIN)/python -m tests.chaos $(CHAOS)

fuzz: .venv/.dev
	@$(BIN)/python -m tests.fuzz $(FUZZ)

mutants: .venv/.dev
	@$(BIN)/python -m tests.mutants $(MUTANTS)

bench: .venv/.runtime
	@$(BIN)/python -m bench $(BENCH)

# For CI: fails below half of the recorded ratio to the ceiling.
bench-small: .venv/.runtime
	@$(BIN)/python -m bench.check

docs: .venv/.dev
	@$(BIN)/python -m tests.docs

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# On the oldest Python that is supported, so that nothing is missing there.
lock: .venv/.dev
	$(INSTALL) pip-tools==7.6.2
	$(COMPILE) --output-file requirements/build.txt requirements/build.in
	$(COMPILE) --output-file requirements/runtime.txt pyproject.toml requirements/runtime.in
	$(COMPILE) --extra dev --constraint requirements/runtime.txt \
		--output-file requirements/dev.txt pyproject.toml requirements/runtime.in

clean:
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.runtime: .venv/.made requirements/build.txt requirements/runtime.txt pyproject.toml
	@echo 'installing into .venv ...'
	@$(INSTALL) --require-hashes --requirement requirements/build.txt \
		--requirement requirements/runtime.txt
	@$(OURSELVES)
	@touch $@

.venv/.dev: .venv/.made requirements/build.txt requirements/dev.txt pyproject.toml
	@echo 'installing into .venv, with what the tests need ...'
	@$(INSTALL) --require-hashes --requirement requirements/build.txt \
		--requirement requirements/dev.txt
	@$(OURSELVES)
	@touch $@ .venv/.runtime

# An environment that is there and works is kept, whoever made it.
.venv/.made:
	@command -v $(PYTHON) >/dev/null || \
		{ echo 'there is no $(PYTHON): install Python 3.11 or newer, or name one: make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, and $(PYTHON) is `$(PYTHON) -V 2>&1`: name one: make PYTHON=..." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || \
		{ echo 'no virtual environment can be made: install the package python3-venv' >&2; exit 1; }
	@touch $@
