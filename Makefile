# make demo   the main job on a sample stack
# make test   style, types and all tests
# make fuzz   100,000 damaged files through every reader; what fails is kept in tests/fuzz/corpus
# make bench  the figures of benchmarks/README.md
# Each makes its own environment in .venv when needed.

VENV := .venv
BIN := $(VENV)/bin
# TensorFlow has wheels for these; the first that exists is taken.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys; print("$(p)") if (3, 11) <= sys.version_info[:2] <= (3, 13) else None' 2>/dev/null | grep python)))

.PHONY: demo test fuzz bench clean

demo: $(VENV)/installed
	$(BIN)/deepd3-ij demo

test: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

fuzz: $(VENV)/installed-test
	$(BIN)/python -m tests.fuzz.run --inputs 100000 --processes $(shell nproc 2>/dev/null || echo 1)

bench: $(VENV)/installed-test
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch $@
