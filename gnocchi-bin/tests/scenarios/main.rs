//! Stories told to the API through its real router, over drivers in memory.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod archive_policies;
mod batches;
mod conditions;
mod failing_indexer;
mod failures;
mod general;
mod http;
mod inputs;
mod measures;
mod metrics;
mod openapi;
mod resource_type_changes;
mod resource_types;
mod resources;
mod support;
mod tenants;
