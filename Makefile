# The front door. `make pipeline DATASET=space_needle` does everything, set-up included.
PIPELINE ?= synthesis
DATASET ?= space_needle
PROFILE ?= demo

.PHONY: pipeline setup build test lint doc clean

pipeline: build
	target/release/callsheet run --pipeline $(PIPELINE) --dataset $(DATASET) --profile $(PROFILE) $(ARGS)

setup: # libtorch unless LIBTORCH is set, ffmpeg unless the system has one, weights
	@python3 setup/fetch.py $(if $(LIBTORCH),,libtorch) $(if $(shell command -v ffmpeg),,ffmpeg) weights

build: setup
	cargo build --release --locked --workspace

test: setup
	cargo test --release --locked --workspace

lint: setup
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings

doc: setup
	cargo doc --release --locked --workspace --no-deps

clean: # what was built; neither data nor what was fetched
	cargo clean
