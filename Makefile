# make setup      a virtual environment in .venv with the package (editable) and the tools
# make demo       denoise and enlarge a photograph, write the pictures to demo_output/
# make check      for work in between: linter, type checker, the fast tests, in under 90 seconds on 2 cores
# make test       linters, type checker, all tests
# make format     rewrite the sources in the project's style
# make fuzz       damaged files and odd command lines, FUZZ of each kind
# make audit      ask for known faults of the packages (where the advisory service can be reached)
# make oldest     the tests of files, models and the command line with the oldest versions that pyproject.toml allows
# make platforms  the engine for Windows, macOS and ARM: compiled, inspected, and run under emulators where they can be had
# make wheel      a wheel for Linux, tried without a compiler: INTERPRETERS="python3.11 python3.12" names the Pythons
# make bench      speed and quality on standard images
# make compare    the figures that matter at the commits BASE and HEAD, and what has changed: FIGURES=fitting.Render
# make release    write a version into all files that name it: VERSION=0.2.0
# make docs       the documentation site, in build/docs
# make notebooks  run the tutorials and keep their outputs
# make clean      remove what was built or written, except .venv
#
# PYTHON=python3.12 chooses the interpreter (3.11 or newer). constraints.txt says how to get torch's CPU build.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python keeps what it has compiled, from which the many processes of the tests begin sooner.
export PYTHONDONTWRITEBYTECODE :=

# The tools of [build-system], in the environment itself: with them pip needs no isolated build and
# compiles only what changed.
BUILD_TOOLS := scikit-build-core hatch-fancy-pypi-readme cmake ninja

# Folder of photographs for the benchmarks.
KODAK ?= $(or $(RSMOE_DATA),../shared/data)/kodak

# Inputs of each kind that `make fuzz` tries, and where they begin: by default elsewhere every day.
FUZZ ?= 5000
SEED ?= $(shell date +%Y%m%d)

# Folders too: their time changes when a file is removed.
NATIVE := CMakeLists.txt napari.yaml $(shell find csrc)
CXX_FILES := $(shell find csrc tests -type f \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \))

# clang-tidy reads the CUDA source as the tests run it, as C++.
TIDY_FILES := $(shell find csrc -name '*.cpp' -o -name '*.cu')
TIDY_FLAGS := -x c++ -std=c++20 -DRSMOE_ON_HOST -DRSMOE_ISA=base -Icsrc -Itests/cuda_on_host

# Tests run in several processes. Those of one file stay together, as they share expensive results. pytest loads only
# the plugins that they need: of every package with a plugin it rewrites all modules, which takes seconds for napari.
PLUGINS := xdist.plugin pytestqt.plugin napari.utils._testsupport _hypothesis_pytestplugin
CORES := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
# One process more than processors: some tests wait, for a browser or for the end of what they have killed.
WORKERS := $(shell expr $(CORES) + 1)
PYTEST := PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest $(addprefix -p ,$(PLUGINS)) -n $(WORKERS) --dist loadfile
FAST_TESTS := tests/test_*.py tests/image tests/io tests/model tests/display tests/ui tests/engine/test_engine.py \
  tests/fitting/test_starts.py tests/denoising/test_checkpoint.py tests/plugin/test_plugin_kernels.py

OLDEST_TESTS := tests/io tests/image tests/model tests/fuzz tests/cli/test_cli.py tests/denoising/test_denoise.py

# Commit that HEAD is compared with, and which benchmarks of asv_bench do that (a regular expression).
BASE ?= main
FIGURES ?= .

.PHONY: compare setup demo check test lint types style tidy format fuzz audit oldest platforms wheel release bench docs notebooks clean

setup: $(VENV)/.built

$(VENV)/.created: scripts/system_packages.sh scripts/display_packages.sh
	@scripts/system_packages.sh $(PYTHON)
	@scripts/display_packages.sh
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip $(BUILD_TOOLS)
	@touch $@

$(VENV)/.built: $(VENV)/.created pyproject.toml constraints.txt $(NATIVE)
	$(BIN)/python -m pip install --quiet --no-build-isolation --constraint constraints.txt --editable '.[dev,test]'
	@$(BIN)/python -m compileall -q src  # As pip does with other packages: the program starts sooner.
	@touch $@

demo: setup
	$(BIN)/python scripts/demo.py

compare: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt 'asv>=0.6'
	@$(BIN)/asv machine --yes > /dev/null
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/asv continuous --no-only-changed --bench '$(FIGURES)' $(BASE) HEAD

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(PYTEST) -k "not cuda-on-host" $(FAST_TESTS)

test: lint
	@$(BIN)/python scripts/audit.py --if-reachable
	@scripts/with_display.sh env $(PYTEST)

# At once, as far as there are processors: the type checker has only one, and takes longest.
lint: setup
	@$(MAKE) --jobs=$(CORES) types style tidy

types:
	$(BIN)/mypy

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)

tidy:
ifeq ($(shell uname),Linux)
	@printf '%s\n' $(TIDY_FILES) | xargs -P $(CORES) -I FILE $(BIN)/clang-tidy --quiet FILE -- $(TIDY_FLAGS) 2>/dev/null
endif

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

fuzz: setup
	$(BIN)/python -m tests.fuzz --count $(FUZZ) --seed $(SEED)

audit: setup
	$(BIN)/python scripts/audit.py

# torch stays as constraints.txt says: its oldest version is checked against its headers (tests/engine/test_torch_abi.py).
oldest:
	@mkdir -p build
	$(PYTHON) scripts/oldest.py | sed 's/^torch==.*/torch/' > build/oldest.txt
	$(PYTHON) -m venv --clear build/oldest
	build/oldest/bin/python -m pip install --quiet --constraint constraints.txt --requirement build/oldest.txt \
	  $(BUILD_TOOLS) pytest pytest-xdist hypothesis 'dask[array]'
	build/oldest/bin/python -m pip install --quiet --no-build-isolation --no-deps -C cmake.define.RSMOE_CUDA=OFF .
	build/oldest/bin/python -m pytest -n $(CORES) --dist loadfile $(OLDEST_TESTS)

platforms: setup
	@scripts/emulators.sh
	PATH="$(CURDIR)/$(BIN):$$PATH" RSMOE_PLATFORMS=1 $(BIN)/python -m pytest -rs tests/platforms

# Each Python gets an environment of its own, with torch as pip finds it: gigabytes, unless PIP_EXTRA_INDEX_URL says more.
wheel: setup
	$(BIN)/python scripts/wheel.py $(or $(INTERPRETERS),$(PYTHON))

release:
	$(PYTHON) scripts/release.py prepare $(VERSION)

bench: setup
	$(BIN)/python -m benchmarks.speed
	$(BIN)/napari-rsmoe bench regression $(KODAK) build/bench --methods ours
	$(BIN)/napari-rsmoe bench denoising $(KODAK) build/bench --methods "balanced|BM3D, colour"

docs: setup
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

notebooks: setup
	$(BIN)/python -m notebooks.execute

clean:
	rm -rf build dist demo_output .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f $(VENV)/.built
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
