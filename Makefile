# Every target prints its help line with `make help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Processes that share the tests and the types; tests of one group (a fixture of a file) stay together.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest bm
PARALLEL := -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

.PHONY: default help install demo test test-fast endurance lint format type bench notebooks docs hiplot clean
default: lint type  ## lint, types and tests in the existing environment
	$(PYTEST) $(PARALLEL) -m "not endurance and not slurm"

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(STAMP): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v < (3, 13) else f"Python 3.10 to 3.12 is needed, {sys.executable} is {v[0]}.{v[1]}; try: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; some minutes)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

install: $(STAMP)  ## create .venv and install the package with the tested versions

demo: $(STAMP)  ## train a small grid on simulated data here; leaves a table, a HiPlot page and a report
	$(BIN)/python -m scripts.demo

test: $(STAMP)  ## install if need be, then lint, types and tests (at most 15 minutes on two cores)
	$(MAKE) --no-print-directory default

test-fast: $(STAMP)  ## unit tests only
	$(PYTEST) $(PARALLEL) -m "not endurance and not slurm and not story"

endurance: $(STAMP)  ## the long stories: kill loops, chaos grids, gates of trained models, notebooks
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "endurance"

lint:  ## ruff and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell bm conf grids scripts docs README.md CHANGELOG.md CONTRIBUTING.md

format:  ## rewrite in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type:  ## mypy
	MYPY_NUM_WORKERS=$(WORKERS) $(BIN)/mypy

bench: $(STAMP)  ## measure speed as ratios to a limit; writes outputs/bench
	$(BIN)/python -m scripts.bench

notebooks: $(STAMP)  ## execute the notebooks
	$(PYTEST) -m notebooks || [ $$? = 5 ]  # 5: there is none yet

docs: $(STAMP)  ## the site of the documentation in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open build/site/index.html"

hiplot: $(STAMP)  ## HiPlot server on 127.0.0.1:15005; grid names go in the page's box
	DORA_PACKAGE=bm $(BIN)/python -m hiplot dora.hiplot.load --port=15005

clean:  ## remove caches of the tools (never outputs, never the cache of recordings)
	rm -rf .mypy_cache .ruff_cache .pytest_cache build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
