# The commands of this project. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make requirements" $(if $(UPGRADE),--upgrade)

# Stamps: the environment was made; what runs the shop is installed; what tests it is installed too.
MADE := $(VENV)/.made
RUNS := $(VENV)/.runs
TESTS := $(VENV)/.tests

.DEFAULT_GOAL := help
.PHONY: help run demo flask kafka test test-kafka api chaos bench swarm lint format types audit translations screenshots requirements clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS="$$(printf '\t')" read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

run: $(RUNS) ## start the whole shop on http://127.0.0.1:8000 (PORT, VAR, DEMO=0, WEB_PROCESSES)
	@exec $(BIN)/python -m storefront.local

demo: $(RUNS) ## watch one flash sale from its opening to its audit
	@exec $(BIN)/python -m storefront.local.demo

flask: $(RUNS) ## a command for the shop that `make run` runs (ARGS="audit"; ARGS="--help" lists them)
	@. $(abspath $(or $(VAR),var))/env && exec $(BIN)/flask --app wsgi $(ARGS)

kafka: $(RUNS) ## start real Apache Kafka, fetched with Maven, for STOREFRONT_KAFKA (BROKERS=3, VAR)
	@exec $(BIN)/python -m storefront.local.kafka

test: $(TESTS) ## run all tests (ARGS="tests/local -k port" for some)
	$(BIN)/python -m pytest $(ARGS)

test-kafka: $(TESTS) ## run the integration tests on real Apache Kafka (BROKERS=3, ARGS="tests/race")
	$(BIN)/python -m tests.on_kafka $(or $(BROKERS),1) $(or $(ARGS),tests/web tests/services tests/race)

api: $(TESTS) ## have Schemathesis call the shop in every way that its description tells of (ARGS="--examples 500 --seeds 1 2")
	$(BIN)/python -m tests.api $(ARGS)

chaos: $(TESTS) ## kill, stop and rob every process under load, then count (20 minutes; ARGS="--help" tells more)
	$(BIN)/python -m tests.chaos $(ARGS)

bench: $(TESTS) ## measure how fast the shop is, into docs/performance.md (20 minutes; ARGS="--help" tells more)
	@$(BIN)/python -m bench $(ARGS)

swarm: $(TESTS) ## have 500 people and 20 scripts race for 100 units, and judge who got them (2 minutes; ARGS="--docs")
	@$(BIN)/python -m swarm $(ARGS)

screenshots: $(TESTS) ## see every page in every state: into docs/img and docs/pages.md (ARGS="order home" for some)
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

lint: $(TESTS) ## check style and the layers of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(TESTS) ## put the code into its one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(TESTS) ## check the types
	$(BIN)/mypy

audit: $(TESTS) ## look for known vulnerabilities, risky code and secrets that got in
	@$(BIN)/python .ci/audit.py

translations: $(TESTS) ## bring the catalogues up to date with the sentences in the code
	@mkdir -p var
	$(BIN)/pybabel -q extract -F babel.cfg -k _ -k N_ -k lazy_gettext -k lazy_ngettext:1,2 -k lazy_pgettext:1c,2 \
		--no-location -o var/messages.pot .
	$(BIN)/pybabel -q update -i var/messages.pot -d storefront/translations --no-fuzzy-matching --ignore-obsolete \
		--ignore-pot-creation-date --width 120
	$(BIN)/python -m tests.english storefront/translations/en/LC_MESSAGES/messages.po
	$(BIN)/pybabel -q compile -d storefront/translations

requirements: $(TESTS) ## pin requirements*.in into requirements*.txt (UPGRADE=1 takes newer versions)
	$(UV_COMPILE) requirements.in --output-file requirements.txt
	$(UV_COMPILE) requirements-dev.in --output-file requirements-dev.txt

clean: ## remove the virtual environment, the fetched Kafka and caches; the shop's data in var/ stays
	rm -rf $(VENV) .kafka .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'The shop needs Python 3.11 or newer; $(PYTHON) is not. Name one: make PYTHON=python3.12' >&2; exit 1; }
	@echo 'Making the virtual environment $(VENV) …'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(RUNS): $(MADE) requirements.txt
	@echo 'Installing requirements.txt …'
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(TESTS): $(RUNS) requirements-dev.txt
	@echo 'Installing requirements-dev.txt …'
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
