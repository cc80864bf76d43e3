# Every target sets up what it needs in .venv, once.
#
#   make demo    a small real project, swept before your eyes (under a minute)
#   make test    all checks and tests, as .ci/run runs them
#   make lint    formatting, rules, types, and the arrows between the modules
#   make bench   the benchmarks, each beside its peer
#   make proof   the long sweeps that `make test` leaves out, and the mutants
#   make mutants breaks each safety rule on purpose: a test must fall each time
#   make config  config.toml and docs/reference/, made from the code

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS   ?= 2

.PHONY: demo test lint bench proof mutants config docs clean

demo: .venv/ready-demo
	@rm -rf demo-project
	@$(BIN)/janitor demo demo-project

test: lint
	$(BIN)/pytest -n $(JOBS) --dist loadfile

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: .venv/ready-dev
	@found=$$(ls benchmarks/bench_*.py 2>/dev/null) || { echo "There are no benchmarks yet."; exit 0; }; \
	for each in $$found; do echo "== $$each"; $(BIN)/python "$$each" || exit 1; done

proof: .venv/ready-dev mutants
	$(BIN)/pytest -m proof
	$(BIN)/pytest --hypothesis-profile=search --timeout=3600 $$(grep -l "^@ANY\|^@MANY" tests/core/*.py)

mutants: .venv/ready-dev
	$(BIN)/python -m tests.proof.mutants --jobs $(JOBS)

# A test holds both against the code.
config: config.toml docs

config.toml: $(wildcard src/artifact_janitor/config/*.py) | .venv/ready-demo
	$(BIN)/python -c "from artifact_janitor.config import sample; print(sample(), end='')" > $@.new
	mv $@.new $@

docs: | .venv/ready-demo
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv dist demo-project .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Torch comes first and alone, so that its version is the pinned one whatever else asks for it.
.venv/ready-torch: constraints.txt
	@echo "Setting up .venv with $(PYTHON): a few minutes, once."
	@$(PYTHON) -m venv .venv
	@$(PIP) install --upgrade pip
	@$(PIP) install --constraint constraints.txt "$$(grep '^torch==' constraints.txt)"
	@touch $@

.venv/ready-demo: pyproject.toml .venv/ready-torch
	@$(PIP) install --constraint constraints.txt --editable ".[demo]"
	@touch $@

.venv/ready-dev: .venv/ready-demo
	@$(PIP) install --constraint constraints.txt --editable ".[demo]" --group dev
	@touch $@
