SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=HTTP_PROXY,HTTPS_PROXY,NO_PROXY,KUBECONFIG)
NODE_PACKAGES := containerd runc containernetworking-plugins nftables iproute2 conntrack haproxy catatonit procps mount buildah crun
TEST_PACKAGES := busybox-static curl ca-certificates docker-registry skopeo docker.io golang-go
# Files of tests side by side: most of them wait for containers
TESTS_AT_ONCE := 2
# The newest crane that Debian 12's Go 1.19 builds, and the buildx that was seen to work
CRANE := github.com/google/go-containerregistry/cmd/crane@v0.19.2
BUILDX := github.com/docker/buildx/cmd/buildx@v0.38.2
GO_BIN := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/wherry-tests/go/bin
GO_INSTALL = GOBIN=$(GO_BIN) GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0 go install -trimpath -ldflags='-s -w'

.PHONY: help up test check bench golden folders docs down clean setup packages test-packages bench-packages lock proto buildx

help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

up: packages setup ## from examples/webapp to three replicas behind a URL on this machine
	$(AS_ROOT) $(BIN)/wherry node start
	$(AS_ROOT) $(BIN)/wherry image base
	$(AS_ROOT) $(BIN)/wherry up examples/webapp

test: packages test-packages $(GO_BIN)/crane setup ## install what tests need, run all of them, real containers included
	$(BIN)/python -m pytest -q -n $(TESTS_AT_ONCE) --dist loadfile

check: setup ## format, lint, types, layers
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

golden: setup ## write the golden files anew: look at what git says of them
	WHERRY_GOLDEN=write $(BIN)/python -m pytest -q tests/golden tests/unit/network/test_nft.py
	git --no-pager diff --stat -- tests/golden

docs: setup ## make docs/CONFIGURATION.md and docs/img/up.svg from the program itself
	$(BIN)/python scripts/docs.py

bench: packages bench-packages setup ## measure an engine of its own, or KUBECONFIGS="a b" beside one another
	$(BIN)/python -m bench $(KUBECONFIGS) $(if $(KUBECONFIGS),,--write)

folders: packages setup ## real projects from the package index: folder to HTTP 200, and docs/FOLDERS.md
	$(AS_ROOT) $(BIN)/python -m bench.folders --write

down: ## stop the node; its pods run on
	$(AS_ROOT) $(BIN)/wherry node stop

clean: ## remove what make made in this folder
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

lock: setup ## pin the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile pyproject.toml --group dev --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  --no-emit-find-links --python-version 3.11 -o requirements.lock

proto: setup ## regenerate the gRPC messages
	$(BIN)/python -m grpc_tools.protoc -I src --python_out=src --pyi_out=src wherry/node/cri.proto wherry/node/containerd.proto wherry/node/content.proto

packages:
	@scripts/packages python3-venv $(NODE_PACKAGES)

test-packages:
	@scripts/packages $(TEST_PACKAGES)

$(GO_BIN)/crane: | test-packages
	$(GO_INSTALL) $(CRANE)

buildx: $(GO_BIN)/buildx ## build docker's buildx for the tests that use it: needs Go 1.26 and seven minutes of a CPU

$(GO_BIN)/buildx:
	$(GO_INSTALL) $(BUILDX)

bench-packages:
	@scripts/packages busybox-static wrk

setup: $(VENV)/.made

$(VENV)/.made: pyproject.toml requirements.lock hatch_build.py src/wherry/kinds/schema/compile.py src/wherry/kinds/schema/merging.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what requirements.lock names into $(VENV); a minute the first time ..."
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m compileall -q src  # as pip does for a package: a start reads bytecode
	@touch $@
