# make demo         the main job on a sample stack
# make test         style, types and all tests
# make test-quick   the same without the tests that take more than ten seconds each
# make test-random  the property-based tests with other examples each time; SEED=... repeats a run
# make fuzz         100,000 damaged files through every reader; what fails is kept in tests/fuzz/corpus
# make bench        the figures of benchmarks/README.md
# make docs         the site in site/; dead links are errors
# make dist         sdist and wheel in dist/
# make fiji-zip     the archive to unpack into a Fiji, in dist/
# Each makes its own environment in .venv when needed.

VENV := .venv
BIN := $(VENV)/bin
# TensorFlow has wheels for these; the first that exists is taken.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys; print("$(p)") if (3, 11) <= sys.version_info[:2] <= (3, 13) else None' 2>/dev/null | grep python)))

.PHONY: demo test test-quick test-random fuzz bench docs dist fiji-zip clean

demo: $(VENV)/installed
	$(BIN)/deepd3-ij demo

test: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

test-quick: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not slow"

test-random: $(VENV)/installed-test
	@seed=$${SEED:-$$(date +%s)}; again="The same examples again: make test-random SEED=$$seed"; echo "$$again"; \
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=random --hypothesis-seed=$$seed tests/unit \
	|| { echo "$$again"; exit 1; }

fuzz: $(VENV)/installed-test
	$(BIN)/python -m tests.fuzz.run --inputs 100000 --processes $(shell nproc 2>/dev/null || echo 1)

bench: $(VENV)/installed-test
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

dist: $(VENV)/installed-dist
	rm -rf dist
	$(BIN)/python -m build

# The time makes the wheel the same whenever it is built.
fiji-zip: $(VENV)/installed-dist
	rm -rf dist/wheel build/lib build/bdist.*
	SOURCE_DATE_EPOCH=315532800 $(BIN)/python -m build --wheel --outdir dist/wheel
	$(BIN)/python -m deepd3_ij.install.archive dist/wheel/*.whl dist
	rm -rf dist/wheel

clean:
	rm -rf $(VENV) build dist site *.egg-info

$(VENV)/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	@touch $@

$(VENV)/installed-dist: $(VENV)/installed
	$(BIN)/python -m pip install --quiet "build>=1.2"
	@touch $@
