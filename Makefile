# Every target sets up what it needs and may be run again at any time.
.DEFAULT_GOAL := help
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
AUDIT_VERSION := 2.10.1
CAMPAIGN ?= demo-local
CONF ?= {}
TESTS ?= tests
IN_PARALLEL ?= --numprocesses 3  # of two cores, too: a third of the tests' time is waiting
BENCHES := submit watch list overhead page parse analysis ranges million localkube
export CONF  # a recipe would be cut at each of its line ends
export PYTHONPATH := plugins:include
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*##  ?/\1\t/p' $(MAKEFILE_LIST) | sed 's/^/  make /' | expand -t 22

demo: setup  ## run the demo campaign and show it (CAMPAIGN=..., CONF='{"max_shards": 2}')
	@python -m demo run --campaign '$(CAMPAIGN)' --conf "$$CONF"

demo-open-data: setup  ## run it on the public data of CMS, 2012; needs a network (CONF='{"max_shards": 1}')
	@python -m demo run --campaign cms-open-data-2012 --conf "$$CONF"

up: setup  ## start Airflow and the local services, and keep them running
	@python -m demo up

down:  ## stop them
	@if [ -e $(VENV)/.installed ]; then python -m demo down; fi

status: setup  ## show them
	@python -m demo status

watch: setup  ## show a run by cluster (RUN=..., CAMPAIGN=..., WATCH='--once --json', AIRFLOW=URL)
	@python -m demo watch --campaign '$(CAMPAIGN)' --run '$(RUN)' --airflow '$(AIRFLOW)' $(WATCH)

rehearsal: setup  ## run the whole campaign on simulated nodes (CONF='{"max_shards": 2}')
	@python -m rehearsal --conf "$$CONF"

env: setup  ## let the airflow command of this shell work on the local Airflow: eval "$(make env)"
	@python -m demo env

root: develop  ## install ROOT (250 MB), which the selection is compared with in the tests
	@python -c 'from importlib.util import find_spec; import sys; sys.exit(not find_spec("ROOT"))' \
	  || VIRTUAL_ENV=$(VENV) uv pip install --quiet --prerelease allow --require-hashes -r tests/requirements-root.txt

test-physics: root  ## compare the selection with ROOT on a million simulated events of each group
	@EVENTS_A_GROUP=1000000 python -m pytest -rP tests/workload/test_rdataframe.py

test: develop  ## run all tests (TESTS=tests/demo for some of them)
	@python -m pytest $(IN_PARALLEL) $(TESTS)

unit: develop  ## run the tests that need no services
	@python -m pytest $(IN_PARALLEL) -m 'not end_to_end' $(TESTS)

test-cluster: develop  ## run the suite of clusters (on a real one: HIGGS_TEST_KUBECONFIG=... HIGGS_TEST_IMAGE=...)
	@python -m pytest tests/cluster

bench: $(addprefix bench-,$(BENCHES))  ## compare the project with other ways (bench/RESULTS.md)

bench-analysis: | $(VENV)/physics

$(VENV)/physics: | develop
	@$(PYTHON) -m venv $@ && VIRTUAL_ENV=$@ uv pip install --quiet -r bench/requirements.txt \
	  || { rm -rf $@; echo "coffea and ROOT cannot be installed here: compared without them"; }

bench-%: develop
	@python -m bench $* $(BENCH)

soak: develop  ## run campaigns while parts are killed at random (MINUTES=10 SEED=1)
	@PYTHONPATH=plugins:include:tests:tests/support python tests/soak.py --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1)

damaged: develop  ## read 200 damaged files, and plan 2,000 generated campaigns (`make test` takes fewer)
	@DAMAGED_FILES=200 GENERATED=2000 python -m pytest tests/workload/test_damaged_files.py \
	  tests/higgsdemo/operators/test_generated_runs.py

lint: develop  ## check style, types and layers
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
	@VIRTUAL_ENV=$(VENV) uv pip check

clean: down  ## stop everything, and remove all that was made but the results
	@rm -rf .run $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +

setup: $(VENV)/.installed  ## virtual environment with what running needs

develop: $(VENV)/.developing  ## and with what developing and testing need

$(VENV)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11 to 3.13 is needed; $(PYTHON) is $$($(PYTHON) -V). Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@if [ -e .run/session.json ]; then $(BIN)/python -m demo down || true; fi
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the locked dependencies (about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.developing: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what developing and testing need ..."
	@VIRTUAL_ENV=$(VENV) uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock -r $<
	@touch $@

audit: develop  ## look up the locked dependencies among the known vulnerabilities (needs a network)
	@uv tool run pip-audit@$(AUDIT_VERSION) --strict --require-hashes --disable-pip -r requirements.lock \
	  -r requirements-dev.lock

docs: setup  ## write the pages that are made from the model
	@python -m higgsdemo.campaign.schema
	@python -m higgsdemo.campaign.reference

PIN := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --custom-compile-command 'make lock'

lock: develop  ## pin the dependencies anew
	$(PIN) requirements.txt -o requirements.lock
	sed -nE 's/^([a-z0-9-]+)(\[.*\])?==.*/\1/p' requirements.lock | sed 's/^/--no-emit-package /' \
	  | xargs $(PIN) --constraint requirements.lock requirements-dev.txt -o requirements-dev.lock
	sed -i '/^# The following packages were excluded/,$$d' requirements-dev.lock
	$(PIN) --prerelease allow --constraint requirements.lock tests/requirements-root.in -o tests/requirements-root.txt

.PHONY: help demo demo-open-data rehearsal up down status watch env root test-physics test unit test-cluster bench soak \
  damaged lint clean setup develop audit docs lock
