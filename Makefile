# Each target is a line or two; `make help` prints them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test test-droplet lint bench check-cuda clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.installed  ## Make .venv with everything for development (.venv/bin/sep)

.venv/.installed: pyproject.toml constraints.txt
	scripts/make_venv.sh "$(PYTHON)" .venv "embedded,research,cluster,dev"
	@touch $@

demo: setup  ## Candles to filled trades and a daily report, on a simulated exchange (DATA=folder for your own candles)
	$(BIN)/sep demo $(if $(DATA),--data "$(DATA)") $(DEMO_ARGS)

test: setup  ## Set up what the tests need and run them all
	scripts/test_setup.sh
	$(BIN)/pytest -m "not droplet" $(PYTEST_ARGS)

test-droplet: setup  ## Rehearse the droplet on a booted machine (root, systemd-nspawn): deploy, trade, break, restore, rebuild
	scripts/rehearsal_setup.sh
	$(BIN)/pytest -m droplet tests/droplet $(PYTEST_ARGS)

lint: setup  ## ruff, mypy strict, import contracts, shellcheck
	scripts/lint.sh

bench: setup  ## Print every figure the documentation claims
	scripts/bench.sh

check-cuda:  ## Compile the CUDA kernels without a card: registers and spills
	scripts/check_cuda.sh "$(PYTHON)"

clean:  ## Remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
