# `make run` and `make test` set up what they need in .venv; see README.md.
PYTHON ?= python3
VENV ?= .venv
CONFIG ?= configs/default.toml
ARGS ?=
# The tests share out over all cores; a slow one never keeps the others waiting.
PYTEST ?= -n auto --dist worksteal
BIN := $(VENV)/bin

.PHONY: run test check lint types imports wheel example soak bench-check performance chaos hold realism clean

# Ctrl-C is how a run is meant to end, so its 130 is no failure. With job control the run has
# the terminal to itself: make would otherwise take the same Ctrl-C for its own.
run: $(VENV)/run.stamp
	@test ! -t 0 || set -m; \
	$(BIN)/gridsim --config $(CONFIG) $(ARGS) || { status=$$?; test $$status -eq 130 || exit $$status; }

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(PYTEST)

check: lint types imports test

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

# The tests once more, on the built wheel in an environment of its own.
wheel: $(VENV)/dev.stamp
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m pip wheel -q --no-deps -w build/wheel .
	$(PYTHON) -m venv --clear build/wheel/env
	build/wheel/env/bin/python -m pip install -q --upgrade pip
	build/wheel/env/bin/python -m pip install -q build/wheel/*.whl --group dev
	cd build/wheel && env/bin/gridsim --duration 2s --set transports.0.port=0
	build/wheel/env/bin/pytest $(PYTEST)

# The example plugin as a stranger would use it: installed beside gridsim, elsewhere.
example: $(VENV)/dev.stamp
	rm -rf build/example && mkdir -p build/example
	$(BIN)/python -m pip wheel -q --no-deps -w build/example . examples/gridsim-cold-store
	$(PYTHON) -m venv --clear build/example/env
	build/example/env/bin/python -m pip install -q --upgrade pip
	build/example/env/bin/python -m pip install -q build/example/*.whl pytest
	build/example/env/bin/pytest examples/gridsim-cold-store
	build/example/env/bin/gridsim --config examples/gridsim-cold-store/cold-store.toml --duration 3s \
	  > build/example/readings.jsonl
	tail -n 1 build/example/readings.jsonl

soak: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/soak.py

# Fails if the QoS 0 path is under 70 % of a raw socket in the same run.
bench-check: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/raw_ratio.py

# Runs every benchmark and writes docs/performance.md; half an hour on a quiet machine.
performance: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/performance.py

# Every fault over 108,000 readings through a Mosquitto: fails if one is left unexplained.
chaos: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/chaos.py

hold: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/hold.py

# The models against published figures and pvlib; writes docs/realism.md.
realism: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.realism

$(VENV)/run.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gridsim needs Python 3.11 or later; 'make PYTHON=python3.12 ...' names another"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --upgrade pip
	@$(BIN)/python -m pip install -q -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp pyproject.toml
	@$(BIN)/python -m pip install -q --group dev
	@touch $@

clean:
	rm -rf $(VENV) build dist
