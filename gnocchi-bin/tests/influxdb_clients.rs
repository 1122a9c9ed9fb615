//! Clients of `InfluxDB`, versions 1 and 2, as published for Python and Node.js, write to the real server.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "support/clients.rs"]
mod clients;
mod support;

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};
use support::{Client, Server};

/// What `GNOCCHI_TEST_REQUIRE` calls the clients.
const SERVICE: &str = "influxdb-clients";

/// Starts a server that keeps the mean of every second, and runs a script against it; `None` when it is not installed.
async fn run(directory: &tempfile::TempDir, script: Option<Command>) -> Option<(Server, Client)> {
    let mut script = script?;
    let server = Server::start(directory.path(), &[]);
    let client = server.client();
    let policy = json!({
        "name": "seconds",
        "aggregation_methods": ["mean"],
        "back_window": 10,
        "definition": [{"granularity": 1, "points": 100}],
    });
    client.create("/v1/archive_policy", &policy).await;
    let rule = json!({"name": "a", "metric_pattern": "cpu*", "archive_policy_name": "seconds"});
    client.create("/v1/archive_policy_rule", &rule).await;
    script.arg(&server.url);
    clients::succeed(script);
    Some((server, client))
}

/// Returns the values of every metric of a resource, by name and in order.
async fn values(client: &Client, resource: &str) -> BTreeMap<String, Vec<f64>> {
    let found = client.get(&format!("/v1/resource/{resource}")).await;
    let mut values = BTreeMap::new();
    for (name, id) in found["metrics"].as_object().unwrap() {
        let path = format!("/v1/metric/{}/measures", id.as_str().unwrap());
        let rows = client.get(&path).await;
        let row = |row: &Value| row[2].as_f64().unwrap();
        values.insert(
            name.clone(),
            rows.as_array().unwrap().iter().map(row).collect(),
        );
    }
    values
}

fn expected(metrics: &[(&str, &[f64])]) -> BTreeMap<String, Vec<f64>> {
    let metrics = metrics.iter();
    metrics
        .map(|(name, values)| ((*name).to_owned(), values.to_vec()))
        .collect()
}

#[tokio::test]
async fn python_clients_write() {
    let directory = tempfile::tempdir().unwrap();
    let script = clients::python("influxdb-python", "write.py", SERVICE);
    let Some((server, client)) = run(&directory, script).await else {
        return;
    };
    let other_tags = "core=0,mount=_var_lib,note=a b\\,c=d";
    let other = |field: &str| format!("cpu.{field}@{other_tags}");
    let web = [
        ("cpu.count@core=0", &[3.0; 4][..]),
        (&other("count"), &[3.0]),
        ("cpu.up@core=0", &[1.0; 4]),
        (&other("up"), &[1.0]),
        ("cpu.usage@core=0", &[1.0, 2.0, 3.0, 4.0, 5.0]),
        (&other("usage"), &[5.0]),
    ];
    assert_eq!(values(&client, "python%201/web").await, expected(&web));
    let db = [("cpu.usage@core=1", &[7.5, 8.5][..])];
    assert_eq!(values(&client, "python%201/db").await, expected(&db));
    server.stop();
}

#[tokio::test]
async fn node_clients_write() {
    let directory = tempfile::tempdir().unwrap();
    let script = clients::node("influxdb-node", "write.js", SERVICE);
    let Some((server, client)) = run(&directory, script).await else {
        return;
    };
    let web = [
        ("cpu.up@core=0", &[1.0; 4][..]),
        ("cpu.usage@core=0", &[1.0, 2.0, 3.0, 4.0]),
    ];
    assert_eq!(values(&client, "node%201/web").await, expected(&web));
    let db = [("cpu.usage", &[7.5][..])];
    assert_eq!(values(&client, "node%201/db").await, expected(&db));
    let db2 = [("cpu.usage", &[8.5][..])];
    assert_eq!(values(&client, "node%201/db2").await, expected(&db2));
    server.stop();
}
