# One command each: serve, test, measure, check.

CARGO ?= cargo

# Services and clients that tests must not be skipped for want of.
TEST_SERVICES ?= keystone,prometheus,gnocchiclient,ceilometer,influxdb-clients,mount,cc

.PHONY: run services test properties worlds crash latency bench lint

# Serves on ./gnocchi-data, port 8041.
run:
	$(CARGO) run --release

# Installs the servers that the tests start and the client programs that they drive, as far as they are missing.
services:
	.ci/services
	.ci/clients

# The saved inputs of the fuzz targets, then every test of the workspace, none skipped for want of a service.
test: services
	$(CARGO) test --manifest-path fuzz/Cargo.toml
	GNOCCHI_TEST_REQUIRE=$(TEST_SERVICES) $(CARGO) test --workspace --all-features
	@echo "All tests passed."

# Tries every property with other random inputs, again and again, until one fails or all rounds have passed.
properties:
	for round in $$(seq $(or $(ROUNDS),20)); do \
		GNOCCHI_TEST_REQUIRE= $(CARGO) test --release -p gnocchi-carbonara -p gnocchi-core -p gnocchi-drivers || exit 1; \
	done

# Plays more worlds of two tenants than `test` does: what one sees must not depend on what the other one does.
worlds:
	GNOCCHI_WORLDS=$(or $(WORLDS),2000) $(CARGO) test --release -p gnocchi-server --test scenarios non_interference

# Kills the server and cuts its power more often than `test` does: what was acknowledged must be there.
crash:
	GNOCCHI_CRASH_KILLS=$(or $(KILLS),1000) $(CARGO) test --release -p gnocchi-server --test crash
	GNOCCHI_POWER_CUTS=$(or $(CUTS),200) $(CARGO) test --release -p gnocchi-server --test faults

# The most expensive requests on a machine that has nothing else to do: how long light ones wait meanwhile is asserted as well.
latency:
	GNOCCHI_STRICT_LATENCY=1 $(CARGO) test --release -p gnocchi-server --test expensive -- --nocapture

# Timings, each beside a baseline of the same run.
bench:
	$(CARGO) bench -p gnocchi-benches

# What .ci/run checks before the tests.
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
