# Each target is a line or two; `make help` prints them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

.PHONY: test-browser selftest selftest-quick help setup demo unit one test simulate simulate-all exhaustive campaign planted cov mutants test-droplet test-droplet-full fresh fmt lint reference bench check-cuda clean
# `make t=tests/...::name` runs one test; without t, make prints its targets.
.DEFAULT_GOAL := $(if $(t),one,help)

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.installed  ## Make .venv with everything for development (.venv/bin/sep)

.venv/.installed: pyproject.toml constraints.txt
	scripts/make_venv.sh "$(PYTHON)" .venv "embedded,data,research,cluster,alerts,dev"
	@touch $@

demo: setup  ## Candles to filled trades and a daily report, on a simulated exchange (DATA=folder for your own candles)
	$(BIN)/sep demo $(if $(DATA),--data "$(DATA)") $(DEMO_ARGS)

unit: setup  ## Fast tests without a server, under a minute
	$(BIN)/pytest -q tests/unit tests/property $(PYTEST_ARGS)

one: setup  ## One file or one test: make t=tests/unit/ledger/test_entries.py::NAME (PYTEST_ARGS go to pytest)
	$(BIN)/pytest $(t) $(PYTEST_ARGS)

test: setup  ## Set up what the tests need and run them all
	scripts/test_setup.sh
	$(BIN)/pytest -n auto --dist loadfile -m "not droplet and not browser" $(PYTEST_ARGS)

test-browser: setup  ## Pages in a real browser: no errors, no sideways scroll, screenshots in build/screenshots
	scripts/test_setup.sh
	scripts/browser_setup.sh
	$(BIN)/pytest -m browser tests/browser $(PYTEST_ARGS)

cov: setup  ## Branch coverage of the fast tests, with a floor
	$(BIN)/pytest -q -n auto tests/unit --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

simulate: setup  ## The trader through 400 simulated days in which everything goes wrong (a minute and a half)
	$(BIN)/sep trade simulate --seeds 1-400 --each 1 $(SIMULATE_ARGS)

simulate-all: setup  ## 20,000 such days (over an hour)
	$(BIN)/sep trade simulate --seeds 1-20000 --each 20 --json

selftest: setup  ## The rules of evidence against nulls, adversaries and known mistakes, in full
	$(BIN)/sep research selftest --series 200 --json

selftest-quick: setup  ## The same with 40 series (under two minutes)
	$(BIN)/sep research selftest --series 40

exhaustive: setup  ## Every way that two signals can go with up to three faults (a quarter of an hour)
	$(BIN)/sep trade simulate --exhaustive --json

campaign: setup  ## 500 runs of the programs as processes that are killed, stopped and cut off (over an hour)
	$(BIN)/sep trade campaign --runs 500 --seed 1 --json

planted: setup  ## Plant thirty bugs, and see that the simulation finds each (four minutes)
	@$(BIN)/python -m tests.simulation.planted $(PLANTED_ARGS)

mutants: setup  ## Mutation testing of risk, ledger and market, with a floor (minutes)
	scripts/mutants.sh

test-droplet: setup  ## Rehearse the droplet on a booted machine (root, systemd-nspawn): deploy, trade, break, restore, rebuild
	scripts/rehearsal_setup.sh
	$(BIN)/pytest -m "droplet and not full" tests/droplet $(PYTEST_ARGS)

test-droplet-full: setup  ## The whole rehearsal, and again on the distribution's newer suite (half an hour)
	scripts/rehearsal_setup.sh
	$(BIN)/pytest -m droplet tests/droplet $(PYTEST_ARGS)
	SEP_REHEARSAL_SUITE=trixie $(BIN)/pytest -m droplet tests/droplet $(PYTEST_ARGS)

fresh: setup  ## Run the README's commands on a minimal Debian, as a user and as root (root, systemd-nspawn; half an hour)
	scripts/rehearsal_setup.sh
	$(BIN)/python -m tests.fresh_machine $(FRESH_ARGS)

fmt: setup  ## Format the code as lint wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: setup  ## ruff, mypy strict, import contracts, shellcheck
	scripts/lint.sh

reference: setup  ## API reference of the public faces, into build/reference
	scripts/reference.sh

bench: setup  ## Print every figure the documentation claims
	scripts/bench.sh

check-cuda:  ## Compile the CUDA kernels without a card: registers and spills
	scripts/check_cuda.sh "$(PYTHON)"

clean:  ## Remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
