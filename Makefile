# Every target creates the environment it needs; `make help` lists them.
PYTHON ?= python3
EXTRAS ?= dev
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV := .venv/$(VERSION)
RUN := $(VENV)/bin/python
ENV := $(VENV)/.installed-$(EXTRAS)
# The four original MNIST files are looked for here before anywhere else.
MNIST_DIR ?= $(wildcard ../shared/data/mnist)
export MNIST_DIR
# Word tests (WS-353, SimLex-999, questions-words), and the text for word2vec and word_map.
WORDS_DIR ?= $(wildcard ../shared/data/words)
export WORDS_DIR
CORPUS ?=
SET ?=
EXPERIMENTS := $(shell grep -oE '"[a-z0-9_]+"' experiments/lab/registry.py | tr -d '"' | awk '!seen[$$0]++')

.DEFAULT_GOAL := help
.PHONY: help install demo test test-faults lint types format hooks gradcheck bench experiments scorecard gallery \
        gallery-check package clean $(EXPERIMENTS)

help:  ## list every target
	@grep -hE '^[a-z$$()A-Z_-]+:.*##' $(MAKEFILE_LIST) | sed 's/$$(EXPERIMENTS)/NAME/' \
	  | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "  NAME is one of: $(EXPERIMENTS)"

$(ENV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "jaxnets needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "no venv module: apt install python3-venv, then make again"; exit 1; }
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

install: $(ENV)  ## create the environment (.venv/VERSION)

demo: $(ENV)  ## the main job on embedded data: train, compare, check, draw results/index.html
	$(RUN) -m experiments demo

test: $(ENV)  ## all tests, with coverage
	$(RUN) -m pytest -n 2 --dist loadscope --cov --cov-report=term

test-faults: $(ENV)  ## the long tests: faults, many processes, killed checkpointed runs
	$(RUN) -m pytest -n 2 --dist load -m slow_faults -rP

lint: $(ENV)  ## ruff: rules and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(ENV)  ## mypy
	$(VENV)/bin/mypy

format: $(ENV)  ## fix what ruff can fix
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

hooks: $(ENV)  ## run lint and types before every commit
	$(VENV)/bin/pre-commit install

gradcheck: gradient_check  ## every gradient by hand against jax.grad and central differences

bench: export CORPUS := $(or $(CORPUS),$(wildcard ../shared/data/novels.txt.xz))
bench:  ## the benchmarks against PyTorch, gensim and scikit-learn, into benchmarks/RESULTS.md
	$(MAKE) install EXTRAS=dev,bench
	$(RUN) -m benchmarks

$(EXPERIMENTS): $(ENV)  ## one experiment of the lectures; options: SET="field=value ..."
	$(RUN) -m experiments $@ $(addprefix --set ,$(SET))

word2vec word_map experiments: SET += $(if $(CORPUS),corpus=$(CORPUS))

experiments: $(ENV)  ## all experiments whose results are not up to date
	$(RUN) -m experiments all $(addprefix --set ,$(SET))

scorecard: $(ENV)  ## run what has no result yet, then judge every claim: results/scorecard.md
	$(RUN) -m experiments scorecard

gallery: $(ENV)  ## every figure on one page: results/index.html
	$(RUN) -m experiments gallery

gallery-check: $(ENV)  ## open that page in a headless Chromium (apt install chromium)
	$(RUN) -m experiments gallery-check

package:  ## build wheel and sdist into dist/, check them, try the wheel alone
	$(MAKE) install EXTRAS=release
	rm -rf dist
	$(RUN) -m build
	$(VENV)/bin/twine check --strict dist/*
	$(VENV)/bin/pyroma --min 9 .
	$(PYTHON) -m venv --clear .cache/wheel
	.cache/wheel/bin/pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	.cache/wheel/bin/pip check
	cd .cache && wheel/bin/python -m jaxnets.experiments --list

clean:  ## remove environments, caches, packages and results
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache dist results
