# Two commands on a bare machine: `make quickstart` and `make test`. `make help` lists the rest.
#
#   JOBS=N                compile and test jobs (default: the cores, or one for each 1.5 GB of free memory if fewer)
#   TORCH=cpu|cuda        which LibTorch `make deps` unpacks;  LIBTORCH=/path/to/libtorch  brings your own
#   CMAKE_FLAGS='-D…'     passed on when configuring
SHELL := /bin/bash
.DEFAULT_GOAL := help
PREFIX ?= /usr/local
BENCH ?= .
CMAKE ?= cmake
JOBS ?= $(shell awk -v cores="$$(nproc)" '/^MemAvailable/ {jobs = int($$2 / 1.5e6)} \
  END {if (jobs > cores) jobs = cores; print jobs < 1 ? 1 : jobs}' /proc/meminfo)
export PATH := $(CURDIR)/.deps/tools/bin:$(PATH)
export LIBTORCH TORCH CTEST_PARALLEL_LEVEL = $(JOBS)

release := build/release/apps/sst_train/sst-train
# What configuring says matters only when it fails.
configure = mkdir -p build && { $(CMAKE) --preset $(1) $(CMAKE_FLAGS) $(2) >build/$(1).log 2>&1 || { cat build/$(1).log; exit 1; }; }
build = @$(call configure,$(1)) && $(CMAKE) --build --preset $(1) -j $(JOBS)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: deps
deps: ## install the packages that are missing, unpack LibTorch into .deps
	@cmake/setup.sh

.PHONY: quickstart
quickstart: release ## build, then train Full, LoRA and SST on a small made graph and print the table
	@$(release) sweep recipes/quickstart.yaml --jobs 2

.PHONY: release
release: deps ## build the program alone: build/release/apps/sst_train/sst-train
	$(call build,release)

.PHONY: dev
dev: deps ## build the program and all tests in build/dev
	$(call build,dev)

.PHONY: test
test: test-deps dev ## build and run every test
	@.ci/run_tests.py build/dev

.PHONY: test-deps
test-deps: deps
	@cmake/setup.sh python

.PHONY: test-fast
test-fast: test-deps dev ## build and run the tests that take under a minute together
	@.ci/run_tests.py build/dev -L fast

.PHONY: asan tsan
asan tsan: test-deps ## build and run every test under address + undefined-behaviour (asan) or thread (tsan) checks
	$(call build,$@)
	@.ci/run_tests.py build/$@

.PHONY: asan-unit tsan-threads
asan-unit: deps ## the same for the tests that start no program, and some that do, as CI does
	$(call build,asan) --target unit_tests
	@.ci/run_tests.py build/asan -L '^unit$$'
tsan-threads: deps ## and for those with threads of our own
	$(call build,tsan) --target thread_tests
	@.ci/run_tests.py build/tsan -L '^threads$$'

.PHONY: bench
bench: deps ## measure speed; JSON and table in build/bench (BENCH=regular expression of names)
	$(call build,dev) --target sst_bench
	@mkdir -p build/bench
	@build/dev/tests/bench/sst_bench --benchmark_filter='$(BENCH)' --benchmark_out=build/bench/bench.json \
	  --benchmark_out_format=json | tee build/bench/bench.txt

.PHONY: toy
toy: deps ## low-rank momentum on a problem whose answer is known: the table, and its curves in build/low_rank_toy.png
	$(call build,dev) --target low_rank_toy
	@build/dev/tests/examples/low_rank_toy build/low_rank_toy.png

.PHONY: lint
lint: ## check format, layers and (where clang-tidy is installed) the lint rules
	@.ci/check_format.sh
	@.ci/check_layers.py
	@if command -v clang-tidy >/dev/null; then $(MAKE) --no-print-directory tidy; \
	  else echo "lint: clang-tidy is not installed; its rules are not checked"; fi

.PHONY: tidy
tidy: deps
	$(call build,tidy)

.PHONY: format
format: ## rewrite the C++ files as .clang-format says
	@.ci/check_format.sh --fix

.PHONY: docs
docs: release ## write the generated pages again: docs/recipes.md, docs/schema
	@mkdir -p docs/schema
	@$(release) schema --markdown > build/recipes.md && mv build/recipes.md docs/recipes.md
	@$(release) schema > build/schema.json && mv build/schema.json docs/schema/sst-train.schema.json

.PHONY: install
install: release ## install the program (PREFIX=/usr/local); it goes on using the LibTorch it was built with
	@$(CMAKE) --install build/release --prefix $(PREFIX)

.PHONY: cuda-check
cuda-check: ## compile and link against a CUDA LibTorch: LIBTORCH=DIR CUDA_ROOT=toolkit; needs no GPU
	@[ -n "$(LIBTORCH)" ] && [ -d "$(CUDA_ROOT)" ] || { \
	  echo "usage: make cuda-check LIBTORCH=/path/to/cuda/libtorch CUDA_ROOT=/path/to/toolkit [CMAKE=cmake]" >&2; exit 2; }
	@export CUDA_PATH=$(CUDA_ROOT) CUDACXX=$$(realpath $(CUDA_ROOT)/bin/nvcc) CPATH=$(CUDA_ROOT)/include; \
	  $(call configure,cuda,-DCUDAToolkit_ROOT=$(CUDA_ROOT) -DCUDA_TOOLKIT_ROOT_DIR=$(CUDA_ROOT) \
	    "-DCMAKE_PREFIX_PATH=$(LIBTORCH);$(CUDA_ROOT)") && $(CMAKE) --build --preset cuda -j $(JOBS)

.PHONY: clean
clean: ## remove what was built; .deps and runs stay
	@rm -rf build
