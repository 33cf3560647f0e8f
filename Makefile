# `make help` lists what there is. Every target does the set-up that it needs, and is silent about it when it is done.
# PYTHON=python3.12 picks the interpreter; without it python3 is taken, or a newer one where that is too old.
# ARGS="…" goes to pytest or to the campaign.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BOOTSTRAP := $(or $(PYTHON),python3) tools/bootstrap.py
THIS := $(if $(PYTHON),--this-python)
BIN := .venv/bin

.PHONY: help setup runtime dev demo run test test-fast test-servers check campaign bench bench-archive docs translations clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: runtime ## prepare .venv, so that .venv/bin/postwagen is the command
	@echo "Ready: $(BIN)/postwagen"

runtime:
	@$(BOOTSTRAP) runtime $(THIS)

dev:
	@$(BOOTSTRAP) dev $(THIS)

demo: runtime ## two mail servers, a filled mailbox, a whole domain transfer (KEEP=1: leave it running)
	@$(BIN)/postwagen demo $(if $(KEEP),--keep)

run: runtime ## the service on this machine: web, worker, schedule
	@$(BIN)/postwagen serve

test: dev test-servers ## all tests; installs missing test servers where it may
	@$(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)

test-fast: dev ## the tests that need no server, in under a minute
	@$(BIN)/python -m pytest -n auto -m "not servers and not browser and not slow" $(ARGS)

# POSTWAGEN_TEST_SERVERS=auto (default): what cannot be installed is said, its tests are skipped.
# POSTWAGEN_TEST_SERVERS=required: a missing server is a failure.
test-servers: dev
	@$(BIN)/python tools/test_servers.py

check: dev ## lint, format, types, architecture
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check .; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m pytest --quiet tests/architecture

campaign: dev test-servers ## copy 20,000 messages through kills, cuts and zombies (half an hour); README's figures
	@$(BIN)/python -m bench.campaign $(ARGS)

bench: dev test-servers ## how fast copying is beside other tools; writes bench/RESULTS.md (half an hour; IMAPSYNC=path)
	@$(BIN)/python -m bench.copying $(ARGS)

bench-archive: dev test-servers ## how fast and how small archives are; writes bench/ARCHIVE-RESULTS.md (ten minutes)
	@$(BIN)/python -m bench.archive $(ARGS)

docs: dev ## write the generated documents anew
	@$(BIN)/python -m tools.docs

translations: dev ## collect texts, update the .po files, compile them
	@$(BIN)/python -m tools.translations

clean: ## remove .venv and everything else that make made
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov test-results .test-servers
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
