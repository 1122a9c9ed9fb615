//! Creates one resource after the other, remembers what became of each request, and checks that what was created is there.

#![allow(
    dead_code,
    reason = "every test binary uses its own part of this module"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::Client;
use super::writers::Outcome;

/// How long the attribute of a resource is at most: long enough for pages of its own now and then.
const HOST_CHARACTERS: usize = 250;

/// Creates resources of the type `server`, each with a metric.
#[derive(Clone, Default)]
pub(crate) struct Creator {
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

impl Creator {
    /// Creates the type of the resources; the archive policy `ordered` of the writers must exist.
    pub(crate) async fn prepare(client: &Client) {
        let server = json!({"name": "server", "attributes": {"host": {"type": "string", "max_length": 256, "required": false}}});
        client.create("/v1/resource_type", &server).await;
    }

    /// Sends the next request; returns the status, `None` when there is no response.
    pub(crate) async fn create(&self, client: &Client) -> Option<u16> {
        let number = {
            let mut outcomes = self.outcomes.lock().unwrap();
            outcomes.push(Outcome::Unknown);
            outcomes.len() - 1
        };
        let body = json!({
            "id": name(number),
            "host": "h".repeat(number % HOST_CHARACTERS),
            "metrics": {"cpu": {"archive_policy_name": "ordered"}}
        });
        let (status, _) = client.post("/v1/resource/server", &body).await.ok()?;
        self.outcomes.lock().unwrap()[number] = match status {
            201 => Outcome::Acknowledged,
            _ => Outcome::Refused,
        };
        Some(status)
    }

    /// Returns how many requests had this outcome.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        let outcomes = self.outcomes.lock().unwrap();
        outcomes.iter().filter(|found| **found == outcome).count()
    }

    /// Checks that the resources that were created are there, with their metrics, and that no other one is.
    pub(crate) async fn check(&self, client: &Client) {
        let mut found = BTreeMap::new();
        let mut marker = String::new();
        loop {
            let path = format!("/v1/resource/server?sort=id:asc&limit=1000{marker}");
            let page = client.get(&path).await;
            let page = page.as_array().unwrap();
            for resource in page {
                let id = resource["original_resource_id"].as_str().unwrap();
                found.insert(id.to_owned(), resource["metrics"]["cpu"].is_string());
            }
            let Some(last) = page.last() else { break };
            marker = format!("&marker={}", last["id"].as_str().unwrap());
        }
        let outcomes = self.outcomes.lock().unwrap();
        for (number, outcome) in outcomes.iter().enumerate() {
            let is_right = match (outcome, found.remove(&name(number))) {
                (Outcome::Acknowledged | Outcome::Unknown, Some(has_metric)) => has_metric,
                (Outcome::Acknowledged, None) | (Outcome::Refused, Some(_)) => false,
                (Outcome::Refused | Outcome::Unknown, None) => true,
            };
            assert!(is_right, "{}: {outcome:?}", name(number));
        }
        assert!(found.is_empty(), "not created by this test: {found:?}");
    }
}

fn name(number: usize) -> String {
    format!("resource-{number}")
}
