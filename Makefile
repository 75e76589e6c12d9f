# Everything runs from a bare Python 3.11 and make: each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
RUN_STAMP := $(VENV)/.stamp-run
AUDIT := build/audit
# Dozens of tests start server processes: the modules of all of them are compiled once, not each time.
unexport PYTHONDONTWRITEBYTECODE
# Some tests wait, some compute: twice the two cores that they are meant for.
WORKERS ?= 4
# Each begins with neighbours, which share what is slow to start; who is done takes from the others.
SHARED := -n $(WORKERS) --dist worksteal
# Tests of scripts, the channel and the engine's life, which could differ on a Redis.
ENGINE_FACING := archived_commands archived_reads archive_ahead archive_worker availability_store \
	availability_timers bot_groups_store cluster connect contacts_store engine hook_deletion hook_streams invariants \
	live main_job numbers_moving opt_out outbox presence race rates retention rooms_races rooms_socket rooms_store \
	search_feed sessions sign_in_limits snooze socket store visibility
ENGINE_TESTS := -m "not long" tests/model/test_model.py \
	$(patsubst %,tests/integration/test_%.py,$(ENGINE_FACING))
# Builds the browser client when its sources changed, or runs one of its tools, with a wheel's Node.
WEB := $(BIN)/python server/web_client/build_hook.py
# It takes the interpreter that comes first on PATH, and Node from the wheel where there is none.
PYRIGHT := PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/pyright
GENERATED := docs/protocol.md docs/openapi.json docs/asyncapi.json docs/concepts.md docs/rest.md \
	docs/reference client_sdk/batonbox/_wire.py \
	client_sdk/batonbox/sync/_events.py client_sdk/batonbox/sync/_mirror.py \
	server/web_client/src/wire.ts tests/vectors

.DEFAULT_GOAL := help
.PHONY: help setup run docs docs-images test test-redis test-sentinel test-cluster test-long check lint types types-all types-sdk types-page gen api-snapshot drift bench audit release-check dist sbom fuzz

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv with both distributions, editable, and the tools; build the page
	@$(WEB) --warn

# What serves, and tests a bot: a fifth of what the tests take.
$(RUN_STAMP): pyproject.toml client_sdk/pyproject.toml requirements-run.txt constraints.txt
	@echo "making $(VENV): takes half a minute, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -r requirements-run.txt
	@touch $@

$(STAMP): $(RUN_STAMP) requirements-dev.txt
	@echo "adding to $(VENV) what the tests need: takes a minute or two, once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -r requirements-dev.txt
	@touch $@

run: $(RUN_STAMP) ## serve on 127.0.0.1:8080 with a demo organisation
	@$(WEB) --warn
	@$(BIN)/batonbox-server serve --demo

test: setup ## everything that guards a merge
	@tests/ensure-programs chromium chromium-headless-shell kannel curl postgresql prometheus redis-server \
		nginx caddy openssl
	@failed=0; $(WEB) --warn vitest run || failed=1; \
		$(BIN)/python -m pytest $(SHARED) -m "not long" || failed=1; exit $$failed

test-redis: setup ## what faces the engine, on the redis-server of PATH (7.0 or newer)
	@tests/ensure-programs redis-server kannel curl postgresql
	BATONBOX_TEST_ENGINE=redis-server $(BIN)/python -m pytest $(SHARED) $(ENGINE_TESTS)

test-sentinel: setup ## the same, on a primary with replicas and sentinels
	@tests/ensure-programs kannel curl postgresql redis-server
	BATONBOX_TEST_ENGINE=sentinel $(BIN)/python -m pytest $(SHARED) $(ENGINE_TESTS)

test-cluster: setup ## the same, on a cluster
	@tests/ensure-programs kannel curl postgresql redis-server
	BATONBOX_TEST_ENGINE=cluster $(BIN)/python -m pytest $(SHARED) $(ENGINE_TESTS)

test-long: setup ## soaks, topologies, big runs
	$(BIN)/python -m pytest -m long

check: lint types drift ## what runs before the tests in CI

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: types-all types-sdk types-page ## mypy --strict, pyright over what the SDK shows, tsc

types-all: setup
	$(BIN)/mypy

types-sdk: setup
	$(PYRIGHT) --verifytypes batonbox --ignoreexternal
	$(PYRIGHT) tests/sdk/consumer.py

types-page: setup
	$(WEB) --warn tsc --noEmit

gen: setup ## write the files that derive from wire.py
	$(BIN)/python -m batonbox_server.gen

api-snapshot: setup ## keep the HTTP API as it is now for the test against breaking changes
	$(BIN)/python -m batonbox_server.gen --snapshot

drift: gen ## fail when a generated file is not what `make gen` writes
	@git diff --exit-code -- $(GENERATED) || \
		{ echo "generated files drifted: run make gen and commit the result"; exit 1; }

docs: setup ## build the documents into build/docs
	@$(BIN)/python -m sphinx -W --keep-going -q -d build/doctrees -c docs . build/docs
	@echo "build/docs/index.html"

docs-images: setup ## play the guides in a browser and take their pictures again: docs/images
	@tests/ensure-programs chromium-headless-shell
	@DOCS_IMAGES=write $(BIN)/python -m pytest -q tests/browser/test_guides.py

bench: setup ## measure this machine beside a floor and a naive loop: build/bench/ (BENCH=--quick: less)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	$(BIN)/python -m tests.bench $(BENCH)
	$(WEB) --warn vitest bench --run --passWithNoTests

audit: $(AUDIT)/.stamp ## known advisories about packages, Python's and npm's; asks PyPI and npm, guards no merge
	$(BIN)/python -m pip check
	$(BIN)/python -m tests.supply_chain audit

release-check: setup ## build both distributions, install them where nothing else is, do the main job
	$(BIN)/python -m pytest tests/release

dist: sbom ## wheels, sdists, bills of materials and their hashes, in dist/
	@rm -rf dist && mkdir dist
	$(BIN)/python -m hatchling build -d dist
	cd client_sdk && ../$(BIN)/python -m hatchling build -d ../dist
	cp build/sbom-*.cdx.json dist
	cd dist && sha256sum * >SHA256SUMS

sbom: $(AUDIT)/.stamp ## write build/sbom-*.cdx.json: what the distributions and the page are made of
	$(BIN)/python -m tests.supply_chain sbom

fuzz: setup ## fuzz what reads strangers' bytes, by coverage (FUZZ="--seconds 600 media")
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-fuzz.txt
	$(BIN)/python -m tests.fuzz $(FUZZ)

# Beside the environment that they look at: what they need themselves is no part of it.
$(AUDIT)/.stamp: requirements-audit.txt | setup
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
