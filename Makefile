# Every target sets up what it needs and may be run again at any time.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export PYTHONPATH := plugins:include
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*##  ?/\1\t/p' $(MAKEFILE_LIST) | sed 's/^/  make /' | expand -t 22

setup: $(VENV)/.installed  ## virtual environment with the locked dependencies

$(VENV)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11 to 3.13 is needed; $(PYTHON) is $$($(PYTHON) -V). Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the locked dependencies (about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	@touch $@

lock:  ## pin the dependencies anew
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url requirements-dev.txt -o requirements.lock

.PHONY: help setup lock
