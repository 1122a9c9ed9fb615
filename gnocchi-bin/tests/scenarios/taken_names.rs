//! A name addresses only a resource that its caller created under that name, although the id behind it can be computed by anyone.
//!
//! Otherwise another caller could create a resource with this id and receive what the first one, above all a service that may write
//! to all resources, sends by name.

use gnocchi_core::model::ResourceId;
use serde_json::{Value, json};

use crate::remote_write;
use crate::rights::{Mode, Story};
use crate::support::{Answer, remote_write_body};

/// A store in which `mallory` has taken the ids of the names `web` and `none@none` of a caller.
struct Taken {
    story: Story,
    caller: &'static str,
    web: String,
    none: String,
}

impl Taken {
    async fn new(mode: Mode, caller: &'static str) -> Self {
        let story = Story::new(mode).await;
        let text = json!({"type": "string", "required": true});
        let prometheus =
            json!({"name": "prometheus", "attributes": {"job": text, "instance": text}});
        let path = "/v1/resource_type";
        story.post("admin", path, prometheus).await.is(201);
        let creator = match mode {
            Mode::Names => caller.to_owned(),
            Mode::Projects => format!("{caller}:p-{caller}"),
        };
        let id = |name| {
            let id = ResourceId::from_original(name, Some(&creator)).unwrap();
            id.to_string()
        };
        let taken = Self {
            web: id("web"),
            none: id("none@none"),
            story,
            caller,
        };
        taken.story.resource("mallory", &taken.web, json!({})).await;
        let body =
            json!({"id": taken.none, "job": "none", "instance": "none", "metrics": {"up": {}}});
        let path = "/v1/resource/prometheus";
        taken.story.post("mallory", path, body).await.is(201);
        taken
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.story.ask(self.caller, method, path, body).await
    }

    /// What mallory can know of both resources, measures included.
    async fn seen_by_mallory(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        for (resource_type, id, metric) in [
            ("generic", &self.web, "cpu"),
            ("prometheus", &self.none, "up"),
        ] {
            let path = format!("/v1/resource/{resource_type}/{id}");
            for path in [path.clone(), format!("{path}/metric/{metric}/measures")] {
                seen.push(self.story.get("mallory", &path).await.is(200).json());
            }
        }
        seen
    }
}

/// Callers that may update every resource, and one that may not.
const CALLERS: [(Mode, &str); 4] = [
    (Mode::Names, "admin"),
    (Mode::Projects, "admin"),
    (Mode::Projects, "service"),
    (Mode::Projects, "victim"),
];

#[tokio::test]
async fn nothing_that_is_sent_by_name_comes_to_who_has_taken_its_id() {
    for (mode, caller) in CALLERS {
        let taken = Taken::new(mode, caller).await;
        let before = taken.seen_by_mallory().await;
        let why = "the id of \\\"web\\\" is taken by another resource";

        // Neighbours are stored.
        let lines = "cpu,host=web value=7\ncpu,host=free value=7\nmem,host=web value=7";
        let refused = taken.story.line(caller, lines).await.is(400);
        refused.says(why).says("2 of 3");
        let path = "/v1/resource/generic/free/metric/cpu.value/measures";
        let stored = taken.ask("GET", path, Value::Null).await.is(200).json();
        assert_eq!(stored[0][2], 7.0);

        let call = taken.story.app.call("POST", "/api/v1/write");
        let call = taken.story.sign(call, caller);
        // Of no job and no instance: its resource is `none@none`.
        let series = remote_write::series([("__name__", "up")], &[(1, 2.0)]);
        let refused = call.body(remote_write_body(&[series])).send().await.is(409);
        refused.says("the id of \\\"none@none\\\" is taken");

        let path = "/v1/batch/resources/metrics/measures";
        for name in ["cpu", "mem"] {
            let body = json!({"web": {name: [{"timestamp": 1, "value": 7}]}});
            let refused = taken.ask("POST", path, body.clone()).await.is(400);
            assert_eq!(
                refused.description(),
                format!("Unknown metrics: {}/{name}", taken.web)
            );
            let creating = format!("{path}?create_metrics=true");
            let refused = taken.ask("POST", &creating, body).await.is(400).says(why);
            assert_eq!(refused.description()["cause"], "Unknown resources");
        }
        // A name means less than its id, also when both are said.
        let both = json!({
            "web": {"cpu": [{"timestamp": 1, "value": 7}]},
            taken.web.as_str(): {"cpu": [{"timestamp": 2, "value": 8}]},
        });
        taken.ask("POST", path, both).await.is(400);

        assert_eq!(taken.seen_by_mallory().await, before, "{mode:?} {caller}");
    }
}

#[tokio::test]
async fn a_path_or_body_with_a_name_does_not_lead_to_who_has_taken_its_id() {
    for (mode, caller) in CALLERS {
        let taken = Taken::new(mode, caller).await;
        let before = taken.seen_by_mallory().await;
        let web = "/v1/resource/generic/web";
        let measures = json!([{"timestamp": 1, "value": 7}]);
        let requests = [
            ("GET", web.to_owned(), Value::Null),
            ("GET", format!("{web}/history"), Value::Null),
            ("GET", format!("{web}/metric"), Value::Null),
            ("GET", format!("{web}/metric/cpu"), Value::Null),
            ("GET", format!("{web}/metric/cpu/measures"), Value::Null),
            ("POST", format!("{web}/metric/cpu/measures"), measures),
            ("POST", format!("{web}/metric"), json!({"mem": {}})),
            ("PATCH", web.to_owned(), json!({"user_id": "u"})),
            ("DELETE", format!("{web}/metric/cpu"), Value::Null),
            ("DELETE", web.to_owned(), Value::Null),
        ];
        let missing = format!("Resource {} does not exist", taken.web);
        for (method, path, body) in requests {
            taken.ask(method, &path, body).await.is(404).says(&missing);
        }
        let body = json!({"name": "mem", "resource_id": "web"});
        let refused = taken.ask("POST", "/v1/metric", body).await.is(400);
        refused.says(&missing);
        let path = "/v1/resource/generic";
        let refused = taken.ask("POST", path, json!({"id": "web"})).await.is(409);
        let exists = format!("Resource {} already exists", taken.web);
        refused.says(&exists).says("which has another creator");
        let named = json!({"=": {"id": "web"}});
        let path = "/v1/search/resource/generic";
        let found = taken.ask("POST", path, named.clone()).await.is(200).json();
        assert_eq!(found, json!([]), "{mode:?} {caller}");
        let path = "/v1/resource/generic";
        let deleted = taken.ask("DELETE", path, named).await.is(200).json();
        assert_eq!(deleted["deleted"], 0);
        assert_eq!(taken.seen_by_mallory().await, before);
    }
}

#[tokio::test]
async fn an_id_still_means_whatever_has_it() {
    let taken = Taken::new(Mode::Projects, "service").await;
    let path = format!("/v1/resource/generic/{}", taken.web);
    taken
        .ask("PATCH", &path, json!({"user_id": "u"}))
        .await
        .is(200);
    let batch = json!({taken.web.as_str(): {"mem": [{"timestamp": 1, "value": 7}]}});
    let path = "/v1/batch/resources/metrics/measures?create_metrics=true";
    taken.ask("POST", path, batch).await.is(202);
    let line = format!("cpu,host={} value=7", taken.web);
    taken.story.line("service", &line).await.is(204);
    // A name that is not taken is free, and means the same thing every time.
    let named = json!({"free": {"mem": [{"timestamp": 1, "value": 7}]}});
    let path = "/v1/resource/generic";
    taken.ask("POST", path, json!({"id": "free"})).await.is(201);
    let path = "/v1/batch/resources/metrics/measures?create_metrics=true";
    for _ in 0..2 {
        taken.ask("POST", path, named.clone()).await.is(202);
        taken
            .story
            .line("service", "cpu,host=free value=7")
            .await
            .is(204);
    }
}
