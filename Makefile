# The same commands as .ci/run, one at a time. `make check test` before a commit.
PYTHON ?= python

.PHONY: check fix test slow bench docs
check:  ## style, types, layers
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) -c "from importlinter.cli import lint_imports_command as run; run()"

fix:  ## what a machine can mend
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

test:  ## the whole suite with the doctests
	$(PYTHON) -m pytest -m "not slow and not gpu and not network"

slow:  ## crash, size and quality suites that take minutes
	$(PYTHON) -m pytest -m slow

bench:  ## every benchmark that needs no data of its own; results land in benchmarks/results
	for name in cold_start index_memory index_throughput efficiency; do $(PYTHON) benchmarks/$$name.py || exit 1; done

docs:  ## regenerate the reference pages
	$(PYTHON) docs/make_cli_reference.py
