# make dev    set everything up, then the sidecar and `next dev` in one terminal; Ctrl-C stops both
# make serve  the sidecar alone
# make test   every check there is: ruff, mypy, pytest, tsc, vitest, the page in real Chromium, and the
#             packed adapter in fresh Next 14 and Next 16 apps
# make faults N=5000   seeded faults of networks and processes for as long as you like (K kill points)
# make bench  this product beside its peers, into docs/BENCHMARKS.md (a quarter of an hour)
# make lock   newer versions into requirements.lock

PYTHON ?= python3
BIN := .venv/bin
WEB := web-adapter

.PHONY: dev serve setup test lint pytest web browser chromium faults bench lock clean
.DELETE_ON_ERROR:

dev: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/honcho start

serve: .venv/.installed
	@$(BIN)/python -m sidecar

setup: .venv/.installed $(WEB)/node_modules/.installed

.venv/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "The sidecar needs Python 3.10 to 3.13, and $(PYTHON) is $$($(PYTHON) -V 2>&1)."; \
	    echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || \
	  { echo "The page needs Node 20 or newer: https://nodejs.org"; exit 1; }
	cd $(WEB) && npm ci --no-audit --no-fund
	@touch $@

test: lint web pytest browser

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

web: $(WEB)/node_modules/.installed
	cd $(WEB) && npm run --silent check && npm test --silent

pytest: .venv/.installed
	$(BIN)/python -m pytest -q --ignore tests/browser

browser: setup chromium
	$(BIN)/python -m pytest -q tests/browser

chromium:
	@command -v chromium >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	fi; \
	command -v chromium >/dev/null || \
	  { echo "The browser tests need Chromium on the PATH: sudo apt-get install chromium"; exit 1; }

N ?= 1000
K ?= 300
faults: .venv/.installed
	$(BIN)/python -m tests.faults --schedules $(N) --kills $(K)

PEERS := tests/bench/peers
bench: .venv/.installed $(PEERS)/node_modules/.installed
	$(BIN)/python -m tests.bench

$(PEERS)/node_modules/.installed: $(PEERS)/package-lock.json
	cd $(PEERS) && npm ci --no-audit --no-fund
	@touch $@

lock:
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --upgrade --universal --python-version 3.10 --generate-hashes \
	  --no-emit-index-url --no-header --quiet requirements.in -o requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv $(PEERS)/node_modules $(WEB)/node_modules $(WEB)/dist $(WEB)/example/.next* .sidecar artifacts \
	  .mypy_cache .pytest_cache .ruff_cache .hypothesis
