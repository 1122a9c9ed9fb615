//! What expensive requests are about.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::support::Server;

/// Points of the long metric.
pub(crate) const POINTS: usize = 300_000;

/// Metrics of the wide resource, and resources of the type.
pub(crate) const METRICS: usize = 1500;
pub(crate) const RESOURCES: usize = 400;

/// The first of the points, in seconds.
pub(crate) const START: usize = 1_700_000_000;

/// Things in a store.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// A metric of many points.
    pub(crate) long: String,
    /// A metric of few.
    pub(crate) small: String,
    /// All metrics of the wide resource.
    pub(crate) many: Vec<String>,
}

/// Returns the name of a metric of the wide resource: as long as names may be.
pub(crate) fn name(place: usize) -> String {
    format!("{}{place:05}", "a".repeat(240))
}

impl World {
    pub(crate) async fn create(server: &Server) -> Self {
        let client = server.client();
        let policy = json!({"name": "fine", "aggregation_methods": ["mean"], "definition": [{"granularity": 1, "timespan": 100_000_000}]});
        client.create("/v1/archive_policy", &policy).await;
        let spare = json!({"name": "spare", "definition": [{"granularity": 60, "points": 9}]});
        client.create("/v1/archive_policy", &spare).await;
        let rule =
            json!({"name": "spare", "metric_pattern": "spare*", "archive_policy_name": "spare"});
        client.create("/v1/archive_policy_rule", &rule).await;
        let metric = async |policy: &str| {
            let created = client
                .create("/v1/metric", &json!({"archive_policy_name": policy}))
                .await;
            created["id"].as_str().unwrap().to_owned()
        };
        let (long, small) = (metric("fine").await, metric("low").await);
        let points = |number: usize| -> Value {
            let point = |index| json!({"timestamp": START + index, "value": index % 977});
            (0..number).map(point).collect()
        };
        for (metric, number) in [(&long, POINTS), (&small, 100)] {
            let path = format!("/v1/metric/{metric}/measures");
            client.create(&path, &points(number)).await;
        }
        let metrics: Map<String, Value> = (0..METRICS)
            .map(|place| (name(place), json!({"archive_policy_name": "low"})))
            .collect();
        let wide = json!({"id": "wide", "metrics": metrics});
        let wide = client.create("/v1/resource/generic", &wide).await;
        let many = wide["metrics"].as_object().unwrap().values();
        let many = many.map(|id| id.as_str().unwrap().to_owned()).collect();
        for kind in ["typed", "spare", "empty"] {
            let created = json!({"name": kind, "attributes": {}});
            client.create("/v1/resource_type", &created).await;
        }
        let mut lines = String::new();
        for place in 0..RESOURCES {
            writeln!(lines, "m,host=h{place} f=1 {}000000000", START + place).unwrap();
        }
        let url = format!("{}/v1/influxdb/write?db=typed", server.url);
        let http = gnocchi_server::outgoing::client().build().unwrap();
        let sent = http.post(url).basic_auth("admin", Some("")).body(lines);
        let status = sent.send().await.unwrap().status();
        assert!(status.is_success(), "{status}");
        Self { long, small, many }
    }
}
