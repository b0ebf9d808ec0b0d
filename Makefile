# One command each; all of them set up what they need. `make help` lists them.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
BIN := .venv/bin
BENCH := .venv-bench/bin
INSTALL := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run test test-slow lint format ui schema bench clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'

run: $(BIN)/.installed ## train the CNN on digits and log it to MLflow
	@$(BIN)/python -m runner

test: $(BIN)/.installed-dev ## run the tests
	@$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

test-slow: $(BIN)/.installed-dev ## run the tests that take long
	@$(BIN)/python -m pytest -m slow --numprocesses=auto --dist=loadfile

lint: $(BIN)/.installed-dev ## check format, style, types and the direction of imports
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(BIN)/.installed-dev ## format the code and mend what the linter can
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

ui: $(BIN)/.installed ## review the runs in MLflow
	@$(BIN)/python -m runner ui

schema: $(BIN)/.installed ## write docs/schema, by which an editor completes and checks conf/
	@$(BIN)/python -m runner schema

bench: $(BENCH)/.installed ## time it beside Keras, PyTorch, JAX and ONNX Runtime
	@$(BENCH)/python -m benchmarks

clean: ## remove the environments; the runs in outputs/ stay
	rm -rf .venv .venv-bench

$(BIN)/python $(BENCH)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 is needed; none was found." >&2; exit 1; }
	@$(PYTHON) -m venv $(patsubst %/bin/python,%,$@)

$(BIN)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into .venv (once; some minutes)"
	@$(BIN)/python $(INSTALL) --editable .
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	@$(BIN)/python $(INSTALL) --editable '.[dev,onnx]'
	@touch $@

# PyTorch alone and first, so that its build for CPUs is found where there is one.
$(BENCH)/.installed: pyproject.toml constraints.txt | $(BENCH)/python
	@echo "installing into .venv-bench (once; some minutes)"
	@$(BENCH)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(BENCH)/python $(INSTALL) --editable '.[bench]'
	@touch $@
