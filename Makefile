# `make run` and `make test` set up what they need in .venv; see README.md.
PYTHON ?= python3
VENV ?= .venv
CONFIG ?= configs/default.toml
ARGS ?=
# The tests share out over all cores; a slow one never keeps the others waiting.
PYTEST ?= -n auto --dist worksteal
# LOCKED=1 installs the versions in requirements/, and checks their hashes.
LOCKED ?=
BIN := $(VENV)/bin
SUPPLY := build/supply

.PHONY: run setup test test-ray properties check lint types imports wheel-env wheel example release-check \
	soak matrix fuzz registers backfill bench-check performance hold realism platforms home-assistant kubernetes shards docs mutants lock audit sbom clean

# Ctrl-C is how a run is meant to end, so its 130 counts as success. With job control the run has
# the terminal to itself: make would otherwise take the same Ctrl-C for its own.
run: $(VENV)/run.stamp
	@test ! -t 0 || set -m; \
	$(BIN)/gridsim --config $(CONFIG) $(ARGS) || { status=$$?; test $$status -eq 130 || exit $$status; }

setup: $(VENV)/dev.stamp

# The whole suite, once, on the checkout; `make wheel` has the tests of packaging.
test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(PYTEST)

# The engine ray, on clusters of this machine; CI does not install its 260 MB. The environment is for
# this alone.
test-ray:
	@test -x build/ray/bin/python || $(PYTHON) -m venv build/ray
	@build/ray/bin/python -m pip install -q --upgrade 'pip>=25.1'
	@build/ray/bin/python -m pip install -q -e '.[broker,ray]' --group dev
	build/ray/bin/python -m pytest tests/ray

# The tests of hypothesis, with 1,000 random examples each where a test sets no number.
properties: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(PYTEST) -m hypothesis --hypothesis-profile=thorough

check: lint types imports test

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

# The wheels of gridsim and of the example plugin, with gridsim's in an environment of its own.
wheel-env: $(VENV)/run.stamp
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m pip wheel -q --no-deps -w build/wheel . examples/gridsim-cold-store
	$(PYTHON) -m venv build/wheel/env
	wheel=$$(echo build/wheel/gridsim_der-*.whl) && \
	  build/wheel/env/bin/python -m pip install -q "$$wheel[broker]" pytest

# The tests of what packaging can break, on the built wheel. They need pytest alone.
wheel: wheel-env
	cd build/wheel && env/bin/gridsim --duration 2s --set transports.0.port=0
	build/wheel/env/bin/pytest --confcutdir=tests/packaging tests/packaging

# The example plugin and a new one as a stranger would use them: installed beside gridsim.
example: wheel-env
	build/wheel/env/bin/python -m pip install -q --no-deps build/wheel/gridsim_cold_store-*.whl
	build/wheel/env/bin/pytest examples/gridsim-cold-store
	build/wheel/env/bin/gridsim --config examples/gridsim-cold-store/cold-store.toml --duration 3s \
	  > build/wheel/readings.jsonl
	tail -n 1 build/wheel/readings.jsonl
	rm -rf build/wheel/ice_rink && build/wheel/env/bin/gridsim new der ice_rink --into build/wheel
	build/wheel/env/bin/python -m pip install -q --no-deps -e build/wheel/ice_rink
	build/wheel/env/bin/pytest build/wheel/ice_rink
	build/wheel/env/bin/gridsim plugins | grep '^ice_rink  *der .* ready '
	build/wheel/env/bin/gridsim --config build/wheel/ice_rink/ice_rink.toml --duration 2s --speed 0

# What takes too long for each change, or needs a quiet machine: run before a release.
release-check: check properties test-ray wheel example soak matrix fuzz registers bench-check realism

# Half an hour of 20,000 DERs with everything on; writes its section of docs/reliability.md.
soak: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.matrix soak

# Every fault of docs/reliability.md, provoked on real brokers; writes that page, in less than an hour.
# ROWS="plugins clock" runs some groups and replaces their sections; SHORT=1 takes a minute, and
# writes nothing.
matrix: $(VENV)/dev.stamp
	@$(BIN)/python -m benchmarks.matrix $(ROWS) $(if $(SHORT),--short)

# The energy registers of a simulated month, beside the integral of the ledger, by SQL.
registers: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/registers.py

# Backfills 30 days of 100 homes by the second, goes on live, and compares with a run at speed 0; an
# hour on a quiet machine. DAYS=1 takes minutes.
backfill: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/backfill.py $(if $(DAYS),--days $(DAYS))

# Fails if the QoS 0 path is under 70 % of a raw socket in the same run.
bench-check: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/raw_ratio.py

# Runs every benchmark and writes docs/performance.md; half an hour on a quiet machine.
performance: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/performance.py

# Hostile configurations, instructions, templates, exports and checkpoints; writes docs/fuzzing.md.
fuzz: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.fuzz --cases $(or $(CASES),200000)

hold: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/hold.py

# The models against published figures and pvlib; writes docs/realism.md. GROUPS="homes day" runs
# some of it, and replaces their sections.
realism: $(VENV)/dev.stamp
	@$(BIN)/python -m pip install -q --group realism
	@$(BIN)/python -m pip install -q --no-deps hisim  # for a load profile in its data
	$(BIN)/python -m benchmarks.realism $(GROUPS)

# The presets beside the platforms' own clients, on one Mosquitto. The clients need an older paho-mqtt,
# and so an environment of their own. That of Azure IoT Hub needs port 8883.
platforms: $(VENV)/dev.stamp
	@test -d build/clients || $(PYTHON) -m venv build/clients
	@build/clients/bin/python -m pip install -q azure-iot-device==2.14.0 awsiotsdk==1.31.0 \
	  tb-mqtt-client==1.13.14 mmh3 'moto[iotdata]==5.2.5'
	$(BIN)/python -m benchmarks.platform_clients build/clients/bin/python

# The preset home-assistant in a real Home Assistant, half an hour. HASS_PYTHON is the Python for it.
HASS_PYTHON ?= python3.13
home-assistant: $(VENV)/dev.stamp
	@test -d build/hass || $(HASS_PYTHON) -m venv build/hass
	@build/hass/bin/python -m pip install -q homeassistant==2025.4.4 paho-mqtt==2.1.0 \
	  home-assistant-frontend==20250411.0 pyserial==3.5 aiousbwatcher==1.1.1
	$(BIN)/python benchmarks/home_assistant.py build/hass/bin

# The manifests of examples/kubernetes against the schemas, and the Job's command lines as processes
# on a Mosquitto. CRD is a file of the custom resource definition of RayJob, see KubeRay.
kubernetes: $(VENV)/dev.stamp
	@test -d build/kubernetes || $(PYTHON) -m venv build/kubernetes
	@build/kubernetes/bin/python -m pip install -q kubernetes-validate==1.37.0 pyyaml==6.0.3
	build/kubernetes/bin/python benchmarks/manifests.py $(if $(CRD),--crd $(CRD))
	$(BIN)/python benchmarks/indexed_job.py

# The shipped configurations as one run and in shards: the bytes of every device, the settled events.
shards: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/shards.py

# The documentation as a site in build/docs; a warning is an error.
docs: $(VENV)/dev.stamp
	@$(BIN)/python -m pip install -q --group docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "build/docs/index.html"

# How many small changes of the code the tests notice; hours for all rooms. ROOM=gridsim.delivery
# or ROOM="gridsim.simulation.batch gridsim.config.text" tries some of it.
mutants: $(VENV)/dev.stamp
	$(BIN)/python -m pip install -q --group mutants
	$(BIN)/python -m benchmarks.mutants $(ROOM) $(if $(TESTS),--tests $(TESTS)) \
	  $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(WORKERS),--workers $(WORKERS))

# The versions and hashes of all dependencies, for CI and the container: for every platform, from
# Python 3.11 on. core.txt is without the embedded broker. UPGRADE=1 takes the newest versions.
LOCK = $(SUPPLY)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) pyproject.toml

lock: $(SUPPLY)/stamp
	$(LOCK) --extra broker -o requirements/run.txt
	$(LOCK) -c requirements/run.txt -o requirements/core.txt
	$(LOCK) --extra broker --group dev -c requirements/run.txt -o requirements/dev.txt

# Known vulnerabilities of the locked versions. It asks the database of PyPI.
audit: $(SUPPLY)/stamp
	$(SUPPLY)/bin/pip-audit --strict --disable-pip --require-hashes \
	  -r requirements/run.txt -r requirements/dev.txt

# The bill of materials (CycloneDX) of gridsim with its locked dependencies, without extras.
sbom: $(SUPPLY)/stamp
	$(PYTHON) -m venv --clear build/sbom
	build/sbom/bin/python -m pip install -q --require-hashes -r requirements/core.txt
	build/sbom/bin/python -m pip install -q --no-deps .
	build/sbom/bin/python -m pip uninstall -q -y pip setuptools
	$(SUPPLY)/bin/cyclonedx-py environment build/sbom --pyproject pyproject.toml \
	  --output-reproducible -o build/gridsim.cdx.json
	@echo build/gridsim.cdx.json

$(SUPPLY)/stamp: pyproject.toml
	@test -x $(SUPPLY)/bin/python || $(PYTHON) -m venv $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip install -q --upgrade 'pip>=25.1'
	@$(SUPPLY)/bin/python -m pip install -q --group supply
	@touch $@

$(VENV)/run.stamp: pyproject.toml requirements/run.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gridsim needs Python 3.11 or later; 'make PYTHON=python3.12 ...' names another"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --upgrade pip
	@$(if $(LOCKED),$(BIN)/python -m pip install -q --require-hashes -r requirements/run.txt)
	@$(BIN)/python -m pip install -q $(if $(LOCKED),--no-deps) -e '.[broker]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp pyproject.toml requirements/dev.txt
	@$(BIN)/python -m pip install -q $(if $(LOCKED),--require-hashes -r requirements/dev.txt,--group dev)
	@touch $@

clean:
	rm -rf $(VENV) build dist
