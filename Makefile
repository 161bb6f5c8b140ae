# Everything a developer needs: `make demo` and `make test` work on a fresh clone.

# Outside the clone, so that another clone builds warm.
export CARGO_TARGET_DIR ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/atalaya/target

.PHONY: help setup servers build test lint demo bench soak

help: ## lists these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

setup: servers ## system packages, locales, the pinned servers, the clients that tests use; quick when all is there
	@scripts/setup-clients.sh

servers:
	@scripts/setup.sh

build: ## the binary `atalaya`, optimised
	cargo build --locked --release --package atalaya

lint: ## format and lints, warnings are errors
	cargo fmt --all --check
	cargo fmt --manifest-path crates/dev/bench/peers/cqrs-es/Cargo.toml --check
	cargo fmt --manifest-path crates/dev/clients/programs/rust/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings

test: setup lint ## every test, against real servers
	cargo test --locked --workspace --no-fail-fast

demo: servers build ## moves a live database from 13 to 18, leads its clients there, back and there again, and proves that nothing was lost
	"$(CARGO_TARGET_DIR)/release/atalaya" demo

bench: servers build ## the figures of the README, measured side by side; BENCH="copy --rounds 3" for a part, "gateway" and "cutover" only so
	cargo build --locked --release --package bench
	@scripts/setup-bench.sh "$(CARGO_TARGET_DIR)/release/bench" $(BENCH)

soak: setup ## the long tests: larger data, more kills, a rate to keep
	cargo test --locked --workspace --no-fail-fast --profile soak -- --include-ignored
