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
ROW ?=
AXIS ?=
EXPERIMENTS := $(shell grep -oE '"[a-z0-9_]+"' experiments/lab/registry.py | tr -d '"' | awk '!seen[$$0]++')

.DEFAULT_GOAL := help
.PHONY: help install install-locked lock audit sbom playground demo test test-faults fuzz lint types format hooks \
        gradcheck bench bench-compare bench-growth bench-gpu experiments scorecard multiverse report calibration gallery gallery-check site site-check package clean $(EXPERIMENTS)

help:  ## list every target
	@grep -hE '^[a-z$$()A-Z_-]+:.*##' $(MAKEFILE_LIST) | sed 's/$$(EXPERIMENTS)/NAME/' \
	  | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'
	@echo "  NAME is one of: $(EXPERIMENTS)"

$(ENV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "jaxnets needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "no venv module: apt install python3-venv, then make again"; exit 1; }
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

install: $(ENV)  ## create the environment (.venv/VERSION)

PIP := $(RUN) -m pip install --quiet --disable-pip-version-check

install-locked:  ## as install, with every package by its hash from requirements-ci.txt (CI)
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements-ci.txt
	$(if $(findstring bench,$(EXTRAS)),$(PIP) -c constraints.txt '$(shell grep -oE 'torch==[0-9.]+' pyproject.toml)')
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $(ENV)

# For all versions of Python at once; the backend is there because the project is built without
# isolation, gensim for the tests that compare with it. PyTorch is left out: its builds differ.
# The site's generator needs Python 3.11.5.
lock: pyproject.toml constraints.txt  ## write requirements-ci.txt: versions of constraints.txt, with hashes
	$(MAKE) install EXTRAS=audit
	printf 'hatchling>=1.27\nsetuptools\ngensim>=4.4\n' | $(VENV)/bin/uv pip compile pyproject.toml - \
	  --extra dev --extra docs -c constraints.txt --universal --python-version 3.11.5 --generate-hashes --no-strip-extras \
	  --no-annotate --custom-compile-command 'make lock' --quiet -o requirements-ci.txt

audit:  ## ask the vulnerability service about every package of requirements-ci.txt
	$(MAKE) install EXTRAS=audit
	@mkdir -p .cache; status=0; $(VENV)/bin/pip-audit --strict --progress-spinner off --disable-pip \
	  --require-hashes -r requirements-ci.txt > .cache/audit.txt 2>&1 || status=$$?; \
	  if grep -E '^(Found|No known)' .cache/audit.txt; then cat .cache/audit.txt; exit $$status; fi; \
	  echo "audit: nothing is known: the service did not answer for every package; see .cache/audit.txt"; exit 1

sbom: package  ## the packages that the wheel installs, as CycloneDX: dist/jaxnets.cdx.json
	$(MAKE) install EXTRAS=audit
	$(VENV)/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type library --output-reproducible \
	  --of JSON -o dist/jaxnets.cdx.json .cache/wheel

playground: $(ENV)  ## a page in the browser where networks train live; options: STATE='problem=xor&widths=3'
	$(RUN) -m jaxnets.playground --open $(if $(STATE),'$(STATE)')

demo: $(ENV)  ## the main job on embedded data: train, compare, check, draw results/index.html
	$(RUN) -m experiments demo

test: $(ENV)  ## all tests, with coverage
	$(RUN) -m pytest -n 2 --dist loadscope --cov --cov-report=term

test-faults: $(ENV)  ## the long tests: faults, many processes, killed checkpointed runs
	$(RUN) -m pytest -n 2 --dist load -m slow_faults -rP

fuzz: $(ENV)  ## damaged files to every reader, 30 minutes; options: MINUTES=5
	$(RUN) -m tests.fuzz --minutes $(or $(MINUTES),30)

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

bench-growth:  ## what a unit of work costs as the work grows, into docs/performance.md; options: AXIS=width
	$(MAKE) install EXTRAS=dev,bench
	$(RUN) -m benchmarks growth $(addprefix --axis ,$(AXIS))

bench-gpu:  ## the rows that need a GPU, in float32, TF32 and bfloat16; options: ROW=gpu-mnist
	$(MAKE) install EXTRAS=dev,bench,cuda
	$(RUN) -m benchmarks gpu $(ROW)

gradcheck: gradient_check  ## every gradient by hand against jax.grad and central differences

bench: export CORPUS := $(or $(CORPUS),$(wildcard ../shared/data/novels.txt.xz))
bench:  ## races against the strongest peers, into benchmarks/RESULTS.md; options: ROW=sweep
	$(MAKE) install EXTRAS=dev,bench
	$(RUN) -m benchmarks $(ROW)

bench-compare: $(ENV)  ## each row against its entry before and its goal; fails on a loss
	$(RUN) -m benchmarks --compare

$(EXPERIMENTS): $(ENV)  ## one experiment of the lectures; options: SET="field=value ..."
	$(RUN) -m experiments $@ $(addprefix --set ,$(SET))

word2vec word_map experiments: SET += $(if $(CORPUS),corpus=$(CORPUS))
published_networks experiments: SET += $(if $(WEIGHTS),weights=$(WEIGHTS))
published_networks: SET += $(if $(IMAGE),image=$(IMAGE))

experiments: $(ENV)  ## all experiments whose results are not up to date
	$(RUN) -m experiments all $(addprefix --set ,$(SET))

scorecard: $(ENV)  ## run what has no result yet, then judge every claim: results/scorecard.md
	$(RUN) -m experiments scorecard

multiverse: $(ENV)  ## a claim at every setting its lecture leaves open; options: CLAIM=F2 (a row, or all)
	$(RUN) -m experiments multiverse --claim $(or $(CLAIM),all)

report: $(ENV)  ## what holds, lecture by lecture, as Markdown and PDF: results/reports/
	$(RUN) -m experiments report

calibration: $(ENV)  ## how often each kind of judge is wrong, in simulated studies
	$(RUN) -m experiments calibration

gallery: $(ENV)  ## every figure on one page: results/index.html
	$(RUN) -m experiments gallery

gallery-check: $(ENV)  ## open that page in a headless Chromium (apt install chromium)
	$(RUN) -m experiments gallery-check

site:  ## the documentation with the figures at hand: .cache/site/html/index.html
	$(MAKE) install EXTRAS=docs
	$(RUN) -m experiments.site .cache/site

site-check:  ## open every page of the site in a headless Chromium: widths, errors, axe, search
	$(MAKE) install EXTRAS=dev
	$(RUN) -m experiments.site.check .cache/site/html

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
