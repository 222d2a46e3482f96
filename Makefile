# Commands of this project. `make pipeline DATASET=space_needle` does everything, including the set-up.
PIPELINE ?= synthesis
DATASET ?= space_needle
PROFILE ?= demo
SECONDS ?= 60
SEEDS ?= 1000
TARGET ?= declarations events footers records request
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
STAGES = $(wildcard stages/*/mod.rs)
CALLSHEET_PROGRAMS ?= target/release
TOOLS ?= callsheet,ninja,make,doit
ENGINE = -p callsheet -p callsheet-stages
# One test runs per CPU, so each test computes on one thread. Error messages are compared without colours.
ALONE = env -u FORCE_COLOR -u CLICOLOR_FORCE -u NO_GRAPHICS OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo nextest)

.PHONY: pipeline setup fetch build inspect serve wheel wheel-inspect test test-python test-shared test-slurm test-slurm-demo simulate test-all snapshots fmt lint prose docs doc guide features gpu-archive gpu-check test-interop test-web test-serve parity bench-stages bench-engine bench-encodings bench-tables bench-serve bench-shared bench-slurm vendor-check fuzz audit hooks clean

pipeline: build
	@python3 setup/dataset.py --packages $(DATASET)
	target/release/callsheet run --pipeline $(PIPELINE) --dataset $(DATASET) --profile $(PROFILE) --report $(ARGS)

setup: # fetches libtorch unless LIBTORCH is set, ffmpeg unless the system has a suitable one, and weights
	@# cargo downloads the crates in parallel; if it fails, the build prints the reason.
	@cargo fetch --locked --quiet --target $(HOST) 2>/dev/null & \
		python3 setup/fetch.py $(if $(LIBTORCH),,libtorch) ffmpeg weights; status=$$?; wait; exit $$status

fetch: # fetches a dataset from the public address or the packages in its file
	@python3 setup/dataset.py $(DATASET)

build: setup
	cargo build --release --locked $(ENGINE) || { python3 setup/space.py; exit 1; }

inspect: # builds the table viewer; its query engine takes minutes to compile, once
	cargo build --release --locked -p callsheet-inspect || { python3 setup/space.py; exit 1; }

serve: # builds the web UI
	cargo build --release --locked -p callsheet-serve || { python3 setup/space.py; exit 1; }

wheel: .toolchain/wheel/installed # builds the Python package with the engine, for Linux with glibc 2.28 or later
	cd python && PATH="$(CURDIR)/.toolchain/wheel/bin:$$PATH" maturin build --release --locked --zig \
		--compatibility manylinux_2_28 --out "$(CURDIR)/target/wheels"
	.toolchain/wheel/bin/auditwheel show target/wheels/callsheet-[0-9]*.whl

wheel-inspect: .toolchain/wheel/installed # builds the Python package with the table viewer; compiles for minutes, once
	cd inspect && PATH="$(CURDIR)/.toolchain/wheel/bin:$$PATH" maturin build --release --locked --zig \
		--compatibility manylinux_2_28 --out "$(CURDIR)/target/wheels"
	.toolchain/wheel/bin/auditwheel show target/wheels/callsheet_inspect-*.whl

.toolchain/wheel/installed: setup/wheel.txt # builders of wheels, from PyPI
	@python3 setup/make_venv.py .toolchain/wheel $<

test: setup # one build for all tests, with the packages and features that `make lint` checks
ifeq ($(NEXTEST),nextest)
	$(ALONE) cargo nextest run --workspace --locked $(if $(ALL),--run-ignored all) $(ARGS)
	$(ALONE) cargo test --workspace --locked --doc --quiet
else
	@echo "cargo-nextest is not installed: cargo test runs one test program at a time"
	$(ALONE) cargo test --workspace --locked --lib --bins -- --test-threads 1 # libtorch has one random generator per process
	$(ALONE) cargo test --workspace --locked --test it $(if $(ALL),-- --include-ignored)
	$(ALONE) cargo test --workspace --locked --doc --quiet
endif

test-all: build # also the tests that take too long for every change: complete comparisons, other libraries, pages
	$(MAKE) test ALL=1
	$(MAKE) test-shared test-slurm test-slurm-demo simulate test-interop test-web test-serve parity wheel
	CALLSHEET_WHEEL="$$(ls target/wheels/callsheet-[0-9]*.whl)" $(MAKE) test-python
	.toolchain/parity/bin/python bench/gpu/check.py --device cpu --seconds 1800 --out target/gpu-check.json

test-shared: setup # tests a shared store on two mounts whose names are stale; needs bindfs and FUSE (apt-get install bindfs fuse3)
	$(ALONE) CALLSHEET_MOUNTS=1 cargo nextest run -p callsheet --locked --run-ignored all -E 'test(shared::)'

test-slurm: setup # tests runs on a real Slurm of two nodes on this machine (apt-get install --no-install-recommends slurm-wlm munge)
	$(ALONE) CALLSHEET_SLURM=1 cargo nextest run -p callsheet --locked --run-ignored all -E 'test(/^slurm::/)'

test-slurm-demo: build # runs the demo pipeline on a Slurm of two nodes, and compares it with a run on one machine; half an hour
	python3 tests/slurm/demo.py

simulate: # simulates runs on a faulty cluster of a thousand nodes, one for each of SEEDS seeds, and prints the table of docs/scale.md; half an hour
	CALLSHEET_SEEDS=$(SEEDS) cargo test --release --locked -p callsheet --lib scale_tests:: -- --include-ignored --nocapture --test-threads 1

bench-slurm: build # compares runs on a Slurm of two nodes with a plain array of jobs; ARGS=--scale measures up to a million rows (apt-get install --no-install-recommends slurm-wlm munge)
	python3 bench/slurm.py $(ARGS)

bench-shared: build # compares a shared store with a store of one project
	python3 bench/shared.py

test-python: .toolchain/python/installed .toolchain/wheel/installed # tests the Python package, the wheel, and the examples of README and guide
	$(ALONE) PYTHONPATH=python CALLSHEET_PROGRAMS=$(CALLSHEET_PROGRAMS) .toolchain/python/bin/python -m unittest discover -s tests/python

.toolchain/python/installed: tests/python/requirements.txt # libraries of test-python, from PyPI
	@python3 setup/make_venv.py .toolchain/python $<

test-interop: build .toolchain/interop/installed .toolchain/parity/installed # opens artifacts, curves and checkpoints in other programs
	.toolchain/interop/bin/python -m unittest discover -s tests/interop
	.toolchain/parity/bin/python -m unittest discover -s tests/parity -p test_checkpoints.py

.toolchain/interop/installed: tests/interop/requirements.txt # libraries of test-interop, from PyPI
	@python3 setup/make_venv.py .toolchain/interop $<

test-web: build serve .toolchain/web/installed # tests pages in a headless Chromium: the one in CHROMIUM, the system's, or one from npm
	.toolchain/web/bin/python tests/web/chromium.py
	.toolchain/web/bin/python -m unittest discover -s tests/web

test-serve: serve build .toolchain/web/installed # tests the web UI: its server, and its pages in a headless Chromium
	cargo nextest run -p callsheet -p callsheet-serve -E 'package(callsheet-serve)'
	.toolchain/web/bin/python tests/web/chromium.py
	.toolchain/web/bin/python -m unittest discover -s tests/web -p 'test_serve*.py'

.toolchain/web/installed: tests/web/requirements.txt # driver of the browser, from PyPI
	@python3 setup/make_venv.py .toolchain/web $<

gpu-archive: build # packs target/gpu-check.tar.xz: `make gpu-check` for a machine without network and toolchain
	python3 bench/gpu/pack.py

gpu-check: # needs one NVIDIA GPU and torch in python3 (docs/gpu-check.md); ARGS="--device cpu" tries it without a GPU
	python3 bench/gpu/check.py $(ARGS)

features: # run it after a change of dependencies; writes one set of features for each crate
	python3 setup/features.py

fmt: # formats also the modules that the macro `stages!` declares, which rustfmt does not find
	cargo fmt --all -- $(STAGES)

lint: setup .toolchain/python/installed # does not check advisories, because they need a network and change daily (`make audit`)
	cargo fmt --all --check -- $(STAGES)
	cargo clippy --workspace --locked --all-targets -- -D warnings
	python3 setup/features.py --check
	python3 setup/prose.py
	python3 setup/scripts.py
	.toolchain/python/bin/ruff format --check python tests/python --config python/pyproject.toml
	.toolchain/python/bin/ruff check python tests/python --config python/pyproject.toml
	.toolchain/python/bin/mypy --config-file python/pyproject.toml python/callsheet
	@python3 setup/fetch.py deny
	.toolchain/lint/cargo-deny --locked check bans licenses sources

vendor-check: # compares the scripts of other projects in the web UI with their npm packages
	python3 setup/scripts.py --vendor

prose: # finds texts that break the rules of docs/language.md, as far as a program can
	python3 setup/prose.py

hooks: # installs a hook that checks the format and runs clippy before each commit
	git config core.hooksPath setup/hooks

snapshots: setup # run it after a change of texts; accepts the output of tests, so read the diff before you commit
	INSTA_UPDATE=always $(MAKE) test $(ARGS)

docs: build # writes the pages that are generated from declarations; tests check that they are current
	python3 setup/graph.py target/release/callsheet
	target/release/callsheet stages --markdown > docs/stages.md
	for what in stage pipeline project; do \
		target/release/callsheet schema $$what > docs/schemas/$$what.schema.json; done

guide: # renders docs/guide as a website
	@test -x .toolchain/bin/mdbook || cargo install --quiet --locked --root .toolchain mdbook
	.toolchain/bin/mdbook build docs/guide --dest-dir "$(CURDIR)/target/guide"

doc: setup
	cargo doc --locked --workspace --no-deps

parity: build .toolchain/parity/installed # compares results with torch, numpy, scikit-learn, Pillow and h5py
	.toolchain/parity/bin/python -m unittest discover -v -s tests/parity

bench-stages: build .toolchain/parity/installed # compares stages with torch, scikit-learn, Pillow, lpips, ffmpeg; an hour
	.toolchain/parity/bin/python bench/stages.py $(ARGS)

.toolchain/parity/installed: tests/parity/requirements.txt # libraries of parity, from PyPI: 5 GB with torch's CUDA parts
	@python3 setup/make_venv.py .toolchain/parity $<

bench-engine: build # compares the engine with ninja, make and doit; TOOLS selects other tools
	python3 bench/engine.py --chains 50 --tools $(TOOLS)
	python3 bench/engine.py --chains 1000 --rounds 2 --tools callsheet,ninja,make
	python3 bench/engine.py --hash

bench-encodings: build .toolchain/interop/installed # compares Parquet encodings and compressions on the pipeline's tables
	.toolchain/interop/bin/python bench/encodings.py

bench-serve: build serve .toolchain/web/installed # measures the web UI against its bars in a headless Chromium
	.toolchain/web/bin/python tests/web/chromium.py
	.toolchain/web/bin/python bench/serve.py
	.toolchain/web/bin/python bench/serve_tables.py

bench-tables: build inspect .toolchain/interop/installed # measures missing and added rows, and queries next to DuckDB
	.toolchain/interop/bin/python bench/tables.py $(ARGS)

fuzz: # reads random declarations, requests, events, records and Parquet files, each for SECONDS; TARGET selects one
	@test -x .toolchain/bin/cargo-fuzz || cargo install --locked --root .toolchain cargo-fuzz
	cd tests/fuzz && for target in $(TARGET); do mkdir -p corpus/$$target && \
		RUSTC_BOOTSTRAP=1 PATH="$(CURDIR)/.toolchain/bin:$$PATH" cargo fuzz run --fuzz-dir . --sanitizer none \
		--target-dir $(CURDIR)/target/fuzz $$target corpus/$$target seeds/$$target -- \
		-max_total_time=$(SECONDS) -rss_limit_mb=4096 -timeout=10 || exit 1; done

audit: # checks licences, sources and advisories of dependencies
	@python3 setup/fetch.py deny
	.toolchain/lint/cargo-deny --locked check

clean: # removes build outputs; keeps data and fetched files
	cargo clean
