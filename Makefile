# The front door. `make pipeline DATASET=space_needle` does everything, set-up included.
PIPELINE ?= synthesis
DATASET ?= space_needle
PROFILE ?= demo
SECONDS ?= 60
TOOLS ?= callsheet,ninja,make,doit
ENGINE = -p callsheet -p callsheet-stages
INSPECT = -p callsheet-inspect -p callsheet-sheet

.PHONY: pipeline setup fetch build inspect test lint docs doc test-interop test-web parity bench-stages bench-engine bench-encodings bench-tables fuzz audit clean

pipeline: build
	target/release/callsheet run --pipeline $(PIPELINE) --dataset $(DATASET) --profile $(PROFILE) --report $(ARGS)

setup: # libtorch unless LIBTORCH is set, ffmpeg unless the system has one that serves, weights
	@python3 setup/fetch.py $(if $(LIBTORCH),,libtorch) ffmpeg weights

fetch: # a dataset of image pairs, from the public address in its file
	@python3 setup/dataset.py $(DATASET)

build: setup
	cargo build --release --locked $(ENGINE)

inspect: # what looks into tables; its query engine takes some 12 minutes, once
	cargo build --release --locked $(INSPECT)

# Apart: together they would agree on features of what both link, and build that once more.
test: setup
	cargo test --release --locked $(ENGINE)
	cargo test --release --locked $(INSPECT)

test-interop: build .toolchain/interop/installed .toolchain/parity/installed # artifacts, curves and checkpoints in other programs
	.toolchain/interop/bin/python -m unittest discover -s tests/interop
	.toolchain/parity/bin/python -m unittest discover -s tests/parity -p test_checkpoints.py

.toolchain/interop/installed: tests/interop/requirements.txt # those libraries, from PyPI
	python3 -m venv .toolchain/interop && .toolchain/interop/bin/python -m pip install --quiet -r $< && touch $@

test-web: build .toolchain/web/installed # pages in a headless Chromium: CHROMIUM, that of the system, or one from npm
	.toolchain/web/bin/python tests/web/chromium.py
	.toolchain/web/bin/python -m unittest discover -s tests/web

.toolchain/web/installed: tests/web/requirements.txt # what drives it, from PyPI
	python3 -m venv .toolchain/web && .toolchain/web/bin/python -m pip install --quiet -r $< && touch $@

lint: setup
	cargo fmt --all --check
	cargo clippy --release --locked $(ENGINE) --all-targets -- -D warnings
	cargo clippy --release --locked $(INSPECT) --all-targets -- -D warnings
	@cargo run --quiet --release --locked -- stages --markdown | diff docs/stages.md - \
		|| { echo "docs/stages.md is not current: run \`make docs\`"; exit 1; }
	@for what in stage pipeline project; do \
		cargo run --quiet --release --locked -- schema $$what | diff docs/schemas/$$what.schema.json - \
		|| { echo "docs/schemas is not current: run \`make docs\`"; exit 1; }; done

docs: setup # pages that are made from declarations
	cargo run --quiet --release --locked -- stages --markdown > docs/stages.md
	for what in stage pipeline project; do \
		cargo run --quiet --release --locked -- schema $$what > docs/schemas/$$what.schema.json; done

doc: setup
	cargo doc --release --locked --workspace --no-deps

parity: build .toolchain/parity/installed # results beside torch, numpy, scikit-learn, Pillow and h5py
	.toolchain/parity/bin/python -m unittest discover -s tests/parity

bench-stages: build .toolchain/parity/installed # the stages of style and training beside those libraries, and ffmpeg; an hour
	.toolchain/parity/bin/python bench/stages.py $(ARGS)

.toolchain/parity/installed: tests/parity/requirements.txt # those libraries, from PyPI: torch comes with its CUDA parts, 5 GB
	python3 -m venv .toolchain/parity && .toolchain/parity/bin/python -m pip install --quiet -r $< && touch $@

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
	@test -x .toolchain/bin/cargo-deny || cargo install --locked --root .toolchain cargo-deny
	.toolchain/bin/cargo-deny --locked check

clean: # what was built; neither data nor what was fetched
	cargo clean
