# Everything from a fresh clone: only Python >= 3.11 and make are needed.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
CONFORMANCE ?= ../shared/conformance
FAULTS ?= ../shared/faults
MSG ?=
# As it was typed: neither make nor a shell looks into it.
override MSG := $(value MSG)
export MSG
ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
DEV := .venv/.dev
CONFORM := .conformance/.installed
ENDPOINTS := $(foreach name,client inference litellm,.endpoints/$(name)/.installed)
PIP := -m pip --disable-pip-version-check install --quiet

.PHONY: help demo test check format bench chaos commands decisions flips cluster services endpoints mcp upstream thirdparties conformance faults newest stub clean

help:  ## Show what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(INSTALLED)  ## Run the support desk (MSG="..." asks it something), without an API key
	@$(BIN)/python -m outlast.demo $(ARGS)

test: $(DEV)  ## Run every test
	folder=$$($(BIN)/python tests/memory_disk.py) && trap 'rm -rf "$$folder"' EXIT && \
	  TMPDIR=$$folder $(BIN)/python -m pytest -q \
	  -m "not chaos and not endpoints and not services and not thirdparties" -n 2 $(ARGS)

check: $(DEV)  ## What a change has to pass, in under a minute
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -q -m "not slow and not chaos and not endpoints and not services" -n 2 $(ARGS)

format: $(DEV)  ## Format, fix what can be fixed, rewrite the stub of public names
	$(BIN)/python tests/public_names.py
	$(BIN)/ruff check --fix-only --quiet src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

chaos: $(DEV)  ## Kill runs at random and check what is left (ARGS="--seed 7 --runs 50")
	$(BIN)/python tests/chaos/chaos.py $(ARGS)
	OUTLAST_TEST_EXAMPLES=500 $(BIN)/python -m pytest -q tests/journal/test_machine.py -k Longer

# The libraries leave connections open in the loop of each test, for the collector to find.
LENIENT := -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning

endpoints:  ## Run agents on LiteLLM's proxy and on llama.cpp's server
	@$(MAKE) --no-print-directory -j 3 $(ENDPOINTS)
	OUTLAST_REQUIRE=$${OUTLAST_REQUIRE:-all} \
	  .endpoints/client/bin/python -m pytest -q $(LENIENT) -m endpoints tests/endpoints $(ARGS)

upstream: $(DEV)  ## Run openai-agents' examples under it and under Outlast, and compare (half an hour)
	$(BIN)/python -m pytest -q -m endpoints tests/compat/test_examples.py $(ARGS)

thirdparties: .thirdparties/.installed $(DEV)  ## Let Logfire, Langfuse, LangSmith and others watch a run, and a page's client drive one
	OUTLAST_REQUIRE=$${OUTLAST_REQUIRE:-all} OUTLAST_TEST_THIRD_PARTIES=$(CURDIR)/.thirdparties/bin/python \
	  OUTLAST_TEST_PHOENIX=$(CURDIR)/.thirdparties/viewer/bin/phoenix \
	  OUTLAST_TEST_AGUI=$(CURDIR)/.thirdparties \
	  $(BIN)/python -m pytest -q -m thirdparties tests/third_parties tests/server $(ARGS)

mcp: $(DEV) .mcp/.installed  ## Use MCP servers that others wrote, both versions of the library, and kills
	OUTLAST_REQUIRE=$${OUTLAST_REQUIRE:-all} OUTLAST_MCP_SERVERS=.mcp \
	  $(BIN)/python -m pytest -q -m endpoints tests/mcp $(ARGS)
	.mcp/v1/bin/python -m pytest -q -m "not endpoints" -n 2 tests/mcp \
	  --ignore=tests/mcp/test_kills.py $(ARGS)
	OUTLAST_MCP_KILLS=$(KILLS) OUTLAST_MCP_ORPHANS=$(ORPHANS) \
	  $(BIN)/python -m pytest -q tests/mcp/test_kills.py -n 2 --timeout 1200 $(ARGS)

commands: $(DEV)  ## Kill who commands runs and who is commanded (ARGS="--seed 7 --rounds 50")
	$(BIN)/python tests/chaos/commands.py $(ARGS)

newest:  ## Run the quick tests on the newest Python that is here or can be installed
	python3 tests/newest_python.py

decisions: $(DEV)  ## Approve and reject from 8 processes at once (ARGS="--calls 1000 --processes 8")
	$(BIN)/python tests/chaos/decisions.py $(ARGS)

flips: $(DEV)  ## Flip random bits in journals up to 64 MB (ARGS="--flips 200 --largest 8")
	$(BIN)/python tests/journal/flips.py $(ARGS)

cluster: $(DEV)  ## Kill workers of a Temporal cluster under runs; ARGS="--kills 300"
	python3 tests/services.py up temporal
	eval "$$(python3 tests/services.py env)" && $(BIN)/python tests/temporal/kills.py $(ARGS)
	eval "$$(python3 tests/services.py env)" && \
		OUTLAST_TEST_RUNS=200 $(BIN)/python -m pytest -q tests/temporal/test_scaling.py

services: $(DEV)  ## Test on real Redis, PostgreSQL, MongoDB, Dapr and Temporal (builds three, once)
	python3 tests/services.py up redis postgres mongo dapr temporal
	eval "$$(python3 tests/services.py env)" && \
	  $(BIN)/python -m pytest -q -m services -n 2 $(ARGS)

bench:  ## Compare the cost of a turn with other SDKs; writes benchmarks/RESULTS.md
	$(PYTHON) benchmarks/compare.py $(ARGS)

conformance: $(CONFORM)  ## Run openai-agents' own public tests; updates docs/compatibility.md
	.conformance/bin/python tests/conformance/run.py $(CONFORMANCE) $(ARGS)

faults: .endpoints/client/.installed  ## Run programs that once showed a fault; those in tests/faults/seam.txt may fail
	.endpoints/client/bin/python tests/faults/run.py $(FAULTS) $(ARGS)

clean:  ## Remove what make has made
	rm -rf .venv .venv-newest .bench .conformance .endpoints .mcp .thirdparties

.thirdparties/.installed: tests/third_parties/requirements.txt pyproject.toml
	@$(PYTHON) -m venv .thirdparties
	@.thirdparties/bin/python $(PIP) . -r tests/third_parties/requirements.txt
	@$(PYTHON) -m venv .thirdparties/viewer
	@.thirdparties/viewer/bin/python $(PIP) "arize-phoenix>=20,<21"
	@npm install --silent --no-audit --no-fund --prefix .thirdparties @ag-ui/client@1
	@touch $@

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Outlast needs Python 3.11 or newer on the PATH." >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv with $$($(PYTHON) --version) ..." >&2; \
	  $(PYTHON) -m venv .venv; }
	@$(BIN)/python $(PIP) -e .
	@touch $@

$(DEV): $(INSTALLED)
	@$(BIN)/python $(PIP) -e '.[dev]'
	@touch $@

$(CONFORM): pyproject.toml $(CONFORMANCE)/requirements.txt
	@test -x .conformance/bin/python || $(PYTHON) -m venv .conformance
	@.conformance/bin/python $(PIP) -r $(CONFORMANCE)/requirements.txt msgspec rich typer
	@.conformance/bin/python $(PIP) --no-deps -e .
	@touch $@

# Servers of others, and version 1 of the mcp library. Their versions are what is tested, too.
NPM_SERVERS := @modelcontextprotocol/server-filesystem@2026.8.31 \
  @modelcontextprotocol/server-everything@2026.8.31 @modelcontextprotocol/inspector@2.12.0
PYPI_SERVERS := mcp-server-git==2026.10.19 mcp-server-time==2026.10.19
KILLS ?= 12
ORPHANS ?= 40

.mcp/.installed: pyproject.toml
	@mkdir -p .mcp
	@npm install --silent --no-fund --no-audit --prefix .mcp $(NPM_SERVERS)
	@test -x .mcp/venv/bin/python || $(PYTHON) -m venv .mcp/venv
	@.mcp/venv/bin/python $(PIP) $(PYPI_SERVERS)
	@test -x .mcp/v1/bin/python || $(PYTHON) -m venv .mcp/v1
	@.mcp/v1/bin/python $(PIP) -e . 'mcp>=1.25,<2' pytest pytest-asyncio pytest-timeout pytest-xdist
	@touch $@

# Each in an environment of its own: the proxy wants another openai than we do. The versions are
# exact, because what is tested here is theirs as much as ours.
NEEDS_client := -e . litellm==1.83.0 any-llm-sdk==1.40.2 \
  hypothesis pytest==9.0.3 pytest-asyncio==1.4.0 pytest-timeout==2.4.0
NEEDS_inference := xllamacpp==2026.10.11549 gguf==0.19.0
NEEDS_litellm := 'litellm[proxy]==1.106.2'

.endpoints/%/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Outlast needs Python 3.11 or newer on the PATH." >&2; exit 1; }
	@test -x .endpoints/$*/bin/python || $(PYTHON) -m venv .endpoints/$*
	@.endpoints/$*/bin/python $(PIP) $(NEEDS_$*)
	@touch $@
