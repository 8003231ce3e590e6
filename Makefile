# Everything a person or CI does with this project. `make help` lists it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROTOS = $(shell cd protos && find zhiyin -name '*.proto' | sort)
# The API as last released; `buf breaking` compares with it.
RELEASED := protos/released.binpb

.DEFAULT_GOAL := help
.PHONY: help install demo test test-faults conformance check format lint type imports manifests images proto proto-lint proto-drift proto-release migrations-release \
	bench-encoder bench-events bench-offers bench-recommend bench-retrieval bench-search eval-recommend eval-recommend-offline clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(STAMP)  ## Create .venv with every pinned package

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Zhiyin needs Python 3.11; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install  ## Start everything, load a real catalogue, search it, print the trace
	$(BIN)/zhiyin demo

test: install  ## Unit, contract and end-to-end tests
	$(BIN)/pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

test-faults: install  ## Kill processes of a running stack under load
	$(BIN)/pytest -m faults tests/faults

conformance: install  ## What retrieval needs of Qdrant, tried on QDRANT_URL=host:port
	ZHIYIN_CONFORMANCE_QDRANT_URL=$(QDRANT_URL) $(BIN)/pytest tests/conformance/qdrant

check: install lint type imports proto-lint proto-drift manifests  ## Format, lint, types, import contracts, protos, manifests

format: install  ## Format Python and protos in place
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/buf format --write

lint: install  ## Formatting and lint of Python
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

type: install  ## mypy, strict
	$(BIN)/mypy

imports: install  ## Who may import whom
	$(BIN)/lint-imports

manifests: install  ## Render and validate k8s/ strictly; lint the Dockerfile
	$(BIN)/python -m k8s.check
	$(BIN)/hadolint Dockerfile

images:  ## Build the images of the five services as zhiyin-<service>:dev (needs Docker with BuildKit)
	for service in encoder retrieval ranker feedback gateway; do \
		docker build --build-arg SERVICE=$$service --tag zhiyin-$$service:dev . || exit 1; done

proto: install  ## Generate zhiyin/ from protos/
	rm -rf zhiyin
	$(call generate,.)

proto-lint: install  ## Lint, format and compatibility of protos/
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking protos --against $(RELEASED)

proto-drift: install  ## zhiyin/ is what protos/ generates
	@rm -rf build/proto && mkdir -p build/proto
	@$(call generate,build/proto)
	diff --recursive --exclude=__pycache__ zhiyin build/proto/zhiyin

proto-release: install  ## Freeze protos/ as the released API
	$(BIN)/buf build protos --output $(RELEASED)

migrations-release: install  ## Freeze the migrations of all services as released
	$(BIN)/python -m tests.migrations.released

bench-encoder: install  ## Texts/s through gRPC beside sentence-transformers
	$(BIN)/python -m benchmarks.encoder

bench-events: install  ## Events through gRPC beside a bare COPY into the same tables, one event at a time, counting
	$(BIN)/python -m benchmarks.events

bench-offers: install  ## Prices changed through gRPC beside a bare upsert, and how soon filters show them
	$(BIN)/python -m benchmarks.offers

bench-recommend: install  ## Recommendations, a long profile, and how soon a click changes what comes next
	$(BIN)/python -m benchmarks.recommend_latency

bench-retrieval: install  ## The local engine at 20,000 and 200,000 points beside the bare engine
	$(BIN)/python -m benchmarks.retrieval

bench-search: install  ## Search end to end beside a FastAPI + sentence-transformers process
	$(BIN)/python -m benchmarks.search

eval-recommend: install  ## Recommendation through the running services beside each source alone
	$(BIN)/python -m benchmarks.eval_recommend

eval-recommend-offline: install  ## The same by plain numpy, without services
	$(BIN)/python -m benchmarks.recommend_offline

clean:  ## Remove what was built; data directories stay
	rm -rf build benchmarks/out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

define generate
$(BIN)/python -m grpc_tools.protoc -I protos -I third_party/googleapis -I $$($(BIN)/python -c 'import grpc_tools, pathlib; print(pathlib.Path(grpc_tools.__file__).parent / "_proto")') \
	--plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	--python_out=$(1) --grpc_python_out=$(1) --mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) $(PROTOS)
endef
