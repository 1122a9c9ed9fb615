# One command each: serve, test, measure, check.

CARGO ?= cargo

# Services that tests must not be skipped for want of.
TEST_SERVICES ?= keystone

.PHONY: run services test bench lint

# Serves on ./gnocchi-data, port 8041.
run:
	$(CARGO) run --release

# The saved inputs of the fuzz targets, then every test of the workspace. Services that tests start are installed if possible.
test:
	$(CARGO) test --manifest-path fuzz/Cargo.toml
	GNOCCHI_TEST_REQUIRE="$$(.ci/services)" $(CARGO) test --workspace --all-features
	@echo "All tests passed."

# Timings, each beside a baseline of the same run.
bench:
	$(CARGO) bench -p gnocchi-benches

# What .ci/run checks before the tests.
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
