# make demo   sets up and runs the main job; prints where the report is
# make test   sets up and runs the tests
# make lint   style, types, layers
# make slow   the longer physics
# make docs   builds the documentation into docs/_build/html, without a network
# make figures  makes every picture of README and documentation, from real runs

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test slow lint docs figures lock clean

help:
	@sed -n 's/^# //p' Makefile | head -6

.venv/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("solvation needs Python 3.11 or newer; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/.ready
	$(BIN)/solvation run mg-tfsi2-dme --profile quick

test: .venv/.ready
	$(BIN)/python -m pytest -n auto

slow: .venv/.ready
	$(BIN)/python -m pytest -m slow

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/.docs: .venv/.ready docs/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.lock
	@touch $@

docs: .venv/.docs
	$(BIN)/python -m sphinx -E -b html -W --keep-going --quiet docs docs/_build/html
	@echo docs/_build/html/index.html

figures: .venv/.ready
	MPLBACKEND=Agg $(BIN)/python docs/figures/make_figures.py

lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock
	uv pip compile pyproject.toml --extra docs --constraint requirements.lock --universal \
	  --python-version 3.11 --no-emit-index-url --no-header --no-annotate --quiet -o docs/requirements.lock

clean:
	rm -rf .venv docs/_build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
