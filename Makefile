# The front door. `make pipeline DATASET=space_needle` does everything, set-up included.
PIPELINE ?= synthesis
DATASET ?= space_needle
PROFILE ?= demo
SECONDS ?= 60
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
STAGES = $(wildcard stages/*/mod.rs)
TOOLS ?= callsheet,ninja,make,doit
ENGINE = -p callsheet -p callsheet-stages
# As many tests run at once as there are CPUs, so each computes on one thread. Errors are compared without colours.
ALONE = env -u FORCE_COLOR -u CLICOLOR_FORCE -u NO_GRAPHICS OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo nextest)

.PHONY: pipeline setup fetch build inspect test test-all snapshots fmt lint docs doc features gpu-archive gpu-check test-interop test-web parity bench-stages bench-engine bench-encodings bench-tables fuzz audit hooks clean

pipeline: build
	target/release/callsheet run --pipeline $(PIPELINE) --dataset $(DATASET) --profile $(PROFILE) --report $(ARGS)

setup: # libtorch unless LIBTORCH is set, ffmpeg unless the system has one that serves, weights
	@# cargo downloads the crates meanwhile; if it cannot, the build says why.
	@cargo fetch --locked --quiet --target $(HOST) 2>/dev/null & \
		python3 setup/fetch.py $(if $(LIBTORCH),,libtorch) ffmpeg weights; status=$$?; wait; exit $$status

fetch: # a dataset of image pairs, from the public address in its file
	@python3 setup/dataset.py $(DATASET)

build: setup
	cargo build --release --locked $(ENGINE) || { python3 setup/space.py; exit 1; }

inspect: # the program that looks into tables; its query engine takes minutes to build, once
	cargo build --release --locked -p callsheet-inspect || { python3 setup/space.py; exit 1; }

test: setup # one build for everything that is tested, of the packages and features that `make lint` checks
ifeq ($(NEXTEST),nextest)
	$(ALONE) cargo nextest run --workspace --locked $(if $(ALL),--run-ignored all) $(ARGS)
	$(ALONE) cargo test --workspace --locked --doc --quiet
else
	@echo "cargo-nextest is not installed: cargo test runs one test program at a time"
	$(ALONE) cargo test --workspace --locked --lib --bins -- --test-threads 1 # libtorch has one generator for each process
	$(ALONE) cargo test --workspace --locked --test it $(if $(ALL),-- --include-ignored)
	$(ALONE) cargo test --workspace --locked --doc --quiet
endif

test-all: build # what takes too long for every change: whole comparisons, other libraries, and pages
	$(MAKE) test ALL=1
	$(MAKE) test-interop test-web parity
	.toolchain/parity/bin/python bench/gpu/check.py --device cpu --seconds 1800 --out target/gpu-check.json

test-interop: build .toolchain/interop/installed .toolchain/parity/installed # artifacts, curves and checkpoints in other programs
	.toolchain/interop/bin/python -m unittest discover -s tests/interop
	.toolchain/parity/bin/python -m unittest discover -s tests/parity -p test_checkpoints.py

.toolchain/interop/installed: tests/interop/requirements.txt # those libraries, from PyPI
	@python3 setup/make_venv.py .toolchain/interop $<

test-web: build .toolchain/web/installed # pages in a headless Chromium: CHROMIUM, that of the system, or one from npm
	.toolchain/web/bin/python tests/web/chromium.py
	.toolchain/web/bin/python -m unittest discover -s tests/web

.toolchain/web/installed: tests/web/requirements.txt # what drives it, from PyPI
	@python3 setup/make_venv.py .toolchain/web $<

gpu-archive: build # what `make gpu-check` needs on a machine without network and toolchain: target/gpu-check.tar.xz
	python3 bench/gpu/pack.py

gpu-check: # on a machine with one NVIDIA GPU and torch in python3 (docs/gpu-check.md); ARGS="--device cpu" tries the check
	python3 bench/gpu/check.py $(ARGS)

features: # after a change of dependencies: one set of features for each crate
	python3 setup/features.py

fmt: # rustfmt does not see modules that the macro `stages!` declares
	cargo fmt --all -- $(STAGES)

lint: setup # advisories are not checked here: they need a network, and change by the day (`make audit`)
	cargo fmt --all --check -- $(STAGES)
	cargo clippy --workspace --locked --all-targets -- -D warnings
	python3 setup/features.py --check
	@python3 setup/fetch.py deny
	.toolchain/lint/cargo-deny --locked check bans licenses sources

hooks: # `make lint` before each commit
	git config core.hooksPath setup/hooks

snapshots: setup # after a change of texts: writes what the tests print; read the diff before you commit it
	INSTA_UPDATE=always $(MAKE) test $(ARGS)

docs: build # pages that are made from declarations; tests check that they are current
	python3 setup/graph.py target/release/callsheet
	target/release/callsheet stages --markdown > docs/stages.md
	for what in stage pipeline project; do \
		target/release/callsheet schema $$what > docs/schemas/$$what.schema.json; done

doc: setup
	cargo doc --locked --workspace --no-deps

parity: build .toolchain/parity/installed # results beside torch, numpy, scikit-learn, Pillow and h5py
	.toolchain/parity/bin/python -m unittest discover -v -s tests/parity

bench-stages: build .toolchain/parity/installed # the stages of style and training beside those libraries, and ffmpeg; an hour
	.toolchain/parity/bin/python bench/stages.py $(ARGS)

.toolchain/parity/installed: tests/parity/requirements.txt # those libraries, from PyPI: torch comes with its CUDA parts, 5 GB
	@python3 setup/make_venv.py .toolchain/parity $<

bench-engine: build # the engine beside ninja, make and doit; TOOLS names others
	python3 bench/engine.py --chains 50 --tools $(TOOLS)
	python3 bench/engine.py --chains 1000 --rounds 2 --tools callsheet,ninja,make
	python3 bench/engine.py --hash

bench-encodings: build .toolchain/interop/installed # Parquet encodings and compressions on the pipeline's tables
	.toolchain/interop/bin/python bench/encodings.py

bench-tables: build inspect .toolchain/interop/installed # rows found missing and added, queries beside DuckDB
	.toolchain/interop/bin/python bench/tables.py $(ARGS)

fuzz: # anything as stage.toml or pipeline file, for SECONDS
	@test -x .toolchain/bin/cargo-fuzz || cargo install --locked --root .toolchain cargo-fuzz
	cd tests/fuzz && RUSTC_BOOTSTRAP=1 PATH="$(CURDIR)/.toolchain/bin:$$PATH" cargo fuzz run --fuzz-dir . --sanitizer none \
		--target-dir $(CURDIR)/target/fuzz declarations -- -max_total_time=$(SECONDS) -rss_limit_mb=4096

audit: # licences, sources and advisories of dependencies
	@python3 setup/fetch.py deny
	.toolchain/lint/cargo-deny --locked check

clean: # what was built; neither data nor what was fetched
	cargo clean
