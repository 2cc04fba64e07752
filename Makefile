# A bare `make` shows the commands and does nothing: the first `make dev` installs a hundred packages.
# What follows `##` after a target is its line in `make help`.

PYTHON ?= python3
BIN := .venv/bin
# The one that would be used: what is installed already asks for no other.
PY = $(if $(wildcard .venv/.installed),$(BIN)/python,$(PYTHON))
WEB := web-adapter

.DEFAULT_GOAL := help
.PHONY: help dev serve page wheel setup check ports test lint unit processes browser test-long chromium faults autobahn bench crewai lock clean
.DELETE_ON_ERROR:
# `dev: ports setup` says what is missing before it takes minutes.
.NOTPARALLEL:

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ports setup  ## everything in one terminal: sidecar and page (PORT=3000 SIDECAR_PORT=8770); Ctrl-C ends it
	@$(BIN)/python -m scripts.dev

serve: .venv/.installed  ## the sidecar alone
	@$(BIN)/python -m sidecar

page: $(WEB)/node_modules/.installed  ## the page as files, which the sidecar serves itself at /
	@$(PY) -m scripts.check node
	@$(PY) -m scripts.page

wheel: page .venv/.installed  ## dist/crew_sidecar-….whl with the page in it, for `pip install` in any CrewAI project
	@$(BIN)/python -m scripts.wheel

# What runs are exported in takes a second; the pages, which `make dev` has from Next, take half a minute.
REPLAY := sidecar/web/page/replay.html
$(REPLAY): $(WEB)/node_modules/.installed $(shell find $(WEB)/src $(WEB)/example/app $(WEB)/example/components $(WEB)/example/replay -type f 2>/dev/null)
	@$(PY) -m scripts.page replay

setup: check .venv/.installed $(WEB)/node_modules/.installed $(REPLAY)  ## what `dev` and `test` need, installed

check:
	@$(FIND_PYTHON)
	@$(PY) -m scripts.check python node

ports:
	@$(FIND_PYTHON)
	@$(PY) -m scripts.check ports

FIND_PYTHON = command -v $(PY) >/dev/null || \
  { echo "The sidecar needs Python 3.11 to 3.13, and there is no $(PY): make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; \
    exit 1; }

.venv/.installed: requirements.lock
	@$(FIND_PYTHON)
	@$(PY) -m scripts.check python
	@echo "Python packages into .venv, which takes minutes the first time:"
	@$(if $(wildcard .venv/.installed),,$(PYTHON) -m venv .venv)
	@$(BIN)/python -m scripts.install pip requirements.lock
	@touch $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@$(FIND_PYTHON)
	@$(PY) -m scripts.check node
	@$(PY) -m scripts.install npm $(WEB)/package-lock.json
	@touch $@

test: lint unit processes browser  ## every check there is, in about ten minutes on two cores

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	cd $(WEB) && npm run --silent check

# Pure, or in the test's own process; what is left is `processes`.
UNIT := $(addprefix tests/,protocol log runs pool web autobahn versions worker/line worker/config conformance/test_log.py \
  test_architecture.py test_channel.py test_controls_table.py test_datafolder.py test_mirror.py test_settings.py test_tasks.py)

unit: setup  ## pure and in-process tests of both languages, in a minute, with the coverage they must have
	@(cd $(WEB) && npm test --silent) & web=$$!; \
	$(BIN)/coverage run -m pytest -q --durations 10 $(UNIT) && $(BIN)/coverage report; python=$$?; \
	wait $$web && exit $$python

processes: setup
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --durations 10 tests --ignore tests/browser $(UNIT:%=--ignore %)

browser: setup chromium
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --durations 10 tests/browser

test-long: setup chromium  ## what takes two hours: 5,000 fault schedules, packed apps in fresh Next projects, eight releases of crewai
	LONG=1 $(BIN)/python -m pytest -q --durations 10 -m "long or not long" tests
	cd $(WEB) && npm run test:long && npm run test:peers
	$(BIN)/python -m tests.faults --schedules 5000 --kills 300
	$(BIN)/python -m tests.versions --check

chromium:
	@command -v chromium >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	fi; \
	command -v chromium >/dev/null || \
	  { echo "The browser tests need Chromium on the PATH: sudo apt-get install chromium"; exit 1; }

N ?= 1000
K ?= 300
faults: .venv/.installed  ## seeded faults of networks and processes for as long as you like (N=5000 K=300)
	$(BIN)/python -m tests.faults --schedules $(N) --kills $(K)

autobahn: .venv/.installed  ## 517 kinds of WebSocket, right and wrong, into docs/AUTOBAHN.md (needs Python 2.7, says how)
	$(BIN)/python -m tests.autobahn

PEERS := tests/bench/peers
bench: .venv/.installed $(PEERS)/node_modules/.installed  ## beside its peers, into docs/BENCHMARKS.md (a quarter of an hour)
	$(BIN)/python -m tests.bench

$(PEERS)/node_modules/.installed: $(PEERS)/package-lock.json
	cd $(PEERS) && npm ci --no-audit --no-fund
	@touch $@

# Each release takes 1 GB in .crewai while it is tried, and is removed afterwards.
crewai: .venv/.installed  ## contracts and runs on the releases of crewai that count, into docs/CREWAI.md (VERSIONS="1.15.30 …")
	$(BIN)/python -m tests.versions $(VERSIONS)

lock:  ## newer versions into requirements.lock
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --quiet requirements.in -o requirements.lock
	rm -rf .venv-lock

clean:  ## back to a fresh clone, the log in .sidecar included
	rm -rf .venv $(PEERS)/node_modules $(WEB)/node_modules $(WEB)/.peers $(WEB)/dist $(WEB)/example/.next* sidecar/web/page dist .sidecar artifacts .autobahn .crewai .providers \
	  .mypy_cache .pytest_cache .ruff_cache .hypothesis
