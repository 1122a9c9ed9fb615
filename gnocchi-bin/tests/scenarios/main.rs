//! Stories told to the API through its real router, over drivers in memory.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod archive_policies;
mod batches;
mod failures;
mod general;
mod inputs;
mod measures;
mod metrics;
mod resource_types;
mod resources;
mod searches;
mod support;
mod tenants;
