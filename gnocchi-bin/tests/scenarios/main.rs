//! Stories told to the API through its real router, over drivers in memory.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod aggregates;
mod aggregates_of_resources;
mod aggregation;
mod archive_policies;
mod authentication;
mod batches;
mod budgets;
mod conditions;
mod endings;
mod failing_indexer;
mod failures;
mod general;
mod http;
mod influxdb;
mod influxdb_statements;
mod inputs;
mod local_time;
#[path = "../support/matrix.rs"]
mod matrix;
mod measures;
mod messages;
mod metrics;
mod non_interference;
mod openapi;
mod overtaken;
mod projects;
mod prometheus;
#[path = "../support/remote_write.rs"]
mod remote_write;
mod resource_type_changes;
mod resource_types;
mod resources;
mod rights;
mod schemas;
mod search_metric;
mod searches;
mod support;
mod taken_names;
mod tenants;
mod unstorable_texts;
