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
# Half of all modules, which are compiled when they are imported:
RARELY_IMPORTED := google|huggingface_hub|litellm|openai|pandas|ray|sklearn
COVERAGE ?=  # 1: tell how many branches of plugins/ the tests take
BENCHES := submit watch list overhead page parse analysis ranges beside million merge localkube packing imitated stragglers waits campaigns
export CONF  # a recipe would be cut at each of its line ends
export PYTHONPATH := plugins:include
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:  ## list the targets
	@sed -nE 's/^## (.*)/\n\1/p; s/^([a-z-]+):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

## Run campaigns

demo: setup  ## run a campaign (CAMPAIGN=..., OPTIONS='--max-shards 2')
	@python -m demo run --campaign '$(CAMPAIGN)' --conf "$$CONF" $(OPTIONS)

watch: setup  ## show a run by cluster (CAMPAIGN=..., OPTIONS=RUN)
	@login=$$(python -m demo env) && eval "$$login" && higgsdemo watch --campaign '$(CAMPAIGN)' $(OPTIONS)

up: setup  ## start Airflow and the local services
	@python -m demo up

status: setup  ## show the services
	@python -m demo status

down:  ## stop the services
	@if [ -e $(VENV)/.installed ]; then python -m demo down; fi

env: setup  ## use the local Airflow in this shell: eval "$(make env)"
	@python -m demo env

demo-open-data: setup  ## run on public CMS data of 2012; needs a network
	@python -m demo run --campaign cms-open-data-2012 --conf "$$CONF" $(OPTIONS)

rehearsal: setup  ## run the full campaign on simulated nodes (FILES=1000000)
	@python -m rehearsal --campaign higgs-full --conf "$$CONF" $(if $(FILES),--files $(FILES)) $(OPTIONS)

clean: down  ## stop everything and remove all but results/
	@rm -rf .run $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +

## Change the code

check: lint  ## lint, and run the tests that start no server
	@python -m pytest $(IN_PARALLEL) -m 'not services' $(TESTS)

test: develop  ## run all tests (TESTS=tests/demo for some, COVERAGE=1)
	@python -m pytest $(IN_PARALLEL) $(if $(strip $(COVERAGE)),--cov) $(TESTS)

unit: develop  ## run the tests that need no Airflow
	@python -m pytest $(IN_PARALLEL) -m 'not end_to_end' $(TESTS)

test-cluster: develop  ## run the cluster suite (docs/internals/localkube.md)
	@python -m pytest tests/cluster

bench: $(addprefix bench-,$(BENCHES))  ## run the benchmarks (bench/RESULTS.md)

bench-analysis: | $(VENV)/physics

$(VENV)/physics: | develop
	@$(PYTHON) -m venv $@ && VIRTUAL_ENV=$@ uv pip install --quiet -r bench/requirements.txt \
	  || { rm -rf $@; echo "coffea and ROOT cannot be installed here: compared without them"; }

bench-%: develop
	@python -m bench $* $(BENCH)

soak: develop  ## kill parts at random during runs (MINUTES=10 SEED=1)
	@PYTHONPATH=.:plugins:include:tests:tests/support python tests/soak.py --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1)

pictures: develop  ## take README's pictures anew, in a browser
	@PYTHONPATH=.:plugins:include:tests:tests/support python tests/pictures.py

damaged: develop  ## read 200 damaged files, plan 2,000 random campaigns
	@DAMAGED_FILES=200 GENERATED=2000 python -m pytest tests/workload/test_damaged_files.py \
	  tests/higgsdemo/operators/test_generated_runs.py

root: develop  ## install ROOT (250 MB) to compare the selection with
	@python -c 'from importlib.util import find_spec; import sys; sys.exit(not find_spec("ROOT"))' \
	  || VIRTUAL_ENV=$(VENV) uv pip install --quiet --prerelease allow --require-hashes -r tests/requirements-root.txt

test-physics: root  ## compare the selection with ROOT on 5 million events
	@EVENTS_A_GROUP=1000000 python -m pytest -rP tests/workload/test_rdataframe.py

lint: develop  ## check style, types and layers
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
	@VIRTUAL_ENV=$(VENV) uv pip check

setup: $(BIN)/higgsdemo  ## install what running needs

develop: $(VENV)/.developing  ## install what developing and testing need

$(VENV)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11 to 3.13 is needed; $(PYTHON) is $$($(PYTHON) -V). Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@if [ -e .run/session.json ]; then $(BIN)/python -m demo down || true; fi
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the locked dependencies (about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 -x '/site-packages/($(RARELY_IMPORTED))/' $(VENV)/lib || true
	@touch $@

$(BIN)/higgsdemo: pyproject.toml $(VENV)/.installed
	@VIRTUAL_ENV=$(VENV) uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.developing: requirements-dev.lock $(BIN)/higgsdemo
	@echo "Installing what developing and testing need ..."
	@VIRTUAL_ENV=$(VENV) uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock -r $<
	@touch $@

audit: develop  ## check the locked dependencies for vulnerabilities
	@uv tool run pip-audit@$(AUDIT_VERSION) --strict --require-hashes --disable-pip -r requirements.lock \
	  -r requirements-dev.lock

docs: setup  ## generate the schema and docs/configuration.md
	@python -m higgsdemo.campaign.schema
	@python -m higgsdemo.campaign.reference

PIN := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --custom-compile-command 'make lock'

lock: develop  ## pin the dependencies
	$(PIN) requirements.txt -o requirements.lock
	sed -nE 's/^([a-z0-9-]+)(\[.*\])?==.*/\1/p' requirements.lock | sed 's/^/--no-emit-package /' \
	  | xargs $(PIN) --constraint requirements.lock requirements-dev.txt -o requirements-dev.lock
	sed -i '/^# The following packages were excluded/,$$d' requirements-dev.lock
	$(PIN) --prerelease allow --constraint requirements.lock tests/requirements-root.in -o tests/requirements-root.txt

.PHONY: help demo demo-open-data rehearsal up down status watch env root test-physics check test unit test-cluster bench soak \
  pictures damaged lint clean setup develop audit docs lock
