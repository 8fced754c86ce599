# Everything a developer types. Each target does its own set-up.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DIR ?= sample
TESTS ?= tests

.PHONY: help install run test check bench test-servers lock format docs clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

install: $(VENV)/.dev  ## Make the Python environment .venv

$(VENV)/.dev: requirements/dev.txt pyproject.toml scripts/install
	@scripts/install "$(PYTHON)" "$(VENV)" dev

$(VENV)/.server: requirements/server.txt pyproject.toml scripts/install
	@scripts/install "$(PYTHON)" "$(VENV)" server

run: $(VENV)/.server  ## Start the service on DIR=… (a small sample folder if unset)
	@WIO_USER_PATH="$$PATH" PATH="$(CURDIR)/$(BIN):$$PATH" scripts/run "$(DIR)"

test-servers: install  ## Install the real servers that tests and benchmarks need
	@scripts/install-test-servers

test: install test-servers  ## Run every test (TESTS=path to run some)
	@scripts/test $(TESTS)

check: install  ## Format, lint, types, import law, documents
	@scripts/check

bench: install test-servers  ## Run the benchmarks and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks.run

format: install  ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

docs: install  ## Generate the generated parts of the documents, and the site in site/
	@$(BIN)/python scripts/generate-docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build && echo "The site is in site/; $(BIN)/mkdocs serve shows it."

lock: install  ## Choose newer versions of the dependencies
	@scripts/lock

clean:  ## Remove what was made here, except data and state
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist site
