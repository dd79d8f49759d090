# Everything a contributor does, one word each. It needs Python 3.11 or newer, make and the package index.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# The tests start hundreds of processes, each of which would compile the program anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

# The first Python that is new enough and can make a virtual environment; `make setup PYTHON=...` overrides it.
CANDIDATES := python3 python3.13 python3.12 python3.11 python
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach name,$(CANDIDATES),$(shell $(name) -c '$(USABLE)' 2>/dev/null && echo $(name))))

# tests/conftest.py chooses the tests; this says what it leaves out.
# The everyday tests wait for processes most of the time, so four wait at once; the large ones work, and two do.
ifeq ($(CIO_TEST),all)
AT_ONCE := 2
LEFT_OUT := tests marked slow (minutes each; by name: $(PY) -m pytest -m slow)
else
AT_ONCE := 4
LEFT_OUT := tests marked full (large sizes and real Kafka; with them: make test CIO_TEST=all) and slow (minutes each)
endif

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":[^#]*## "} /^[a-z-]+:[^#]*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(INSTALLED) ## Install the program and its tools into .venv; done once, and again when the packaging changes.

$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(PY) || test -n "$(PYTHON)" || { echo "No usable Python. Install Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv), or name one: make setup PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a minute or two the first time)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@

.PHONY: demo
demo: setup ## See it work: a local broker, a local Customer.io and the real pipeline between them.
	@$(VENV)/bin/cio-pipeline demo

.PHONY: test
test: lint typecheck layers ## Run every check and the everyday test suite (CIO_TEST=all: the full suite).
	@echo "Left out: $(LEFT_OUT)"
	@$(PY) -m pytest -n $(AT_ONCE) --dist loadfile

.PHONY: lint
lint: setup ## Check style and formatting.
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

.PHONY: format
format: setup ## Format the code and apply the safe fixes.
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

.PHONY: typecheck
typecheck: setup ## Check types, tests included.
	@$(PY) -m mypy

.PHONY: layers
layers: setup ## Check that imports run one way.
	@$(VENV)/bin/lint-imports

.PHONY: chaos
chaos: setup ## Kill, starve and cut off the pipeline on real Kafka, then for 15 minutes (a JDK and Maven are needed).
	@CIO_TEST=all $(PY) -m pytest tests/chaos
	@CIO_TEST=all $(PY) -m pytest -m slow tests/chaos/test_chaos.py

.PHONY: soak
soak: setup ## Let the pipeline work on real Kafka for an hour and see that memory stays flat (CIO_SOAK_SECONDS).
	@CIO_TEST=all $(PY) -m pytest -m slow -s tests/chaos/test_soak.py

.PHONY: bench
bench: setup ## Measure what a record costs from Kafka to the wire, beside a bare loop.
	@$(PY) -m tests.bench.pipeline

.PHONY: bench-sandbox
bench-sandbox: setup ## Measure how many calls the sandbox takes.
	@$(PY) -m tests.bench.http_sandbox

.PHONY: bench-mapping
bench-mapping: setup ## Measure what mapping an event costs, beside handwritten code.
	@$(PY) -m tests.bench.mapping

.PHONY: bench-http
bench-http: setup ## Measure what a request costs with each HTTP transport that could carry it.
	@$(PY) -m tests.bench.http_transports

.PHONY: docs
docs: setup ## Write the references anew: settings and mapping functions.
	@$(PY) -m pipeline.config.reference > docs/configuration.md
	@$(PY) -m pipeline.mapping.reference > docs/mapping-reference.md

.PHONY: wheel
wheel: setup ## Build the wheel into dist/.
	@$(PY) -m hatchling build -t wheel

.PHONY: clean
clean: ## Remove the environment, caches and build results.
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
