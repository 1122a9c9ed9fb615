//! What a caller may do to one resource never reaches another one that has its id by the time of the write.
//!
//! The owner of a resource may delete it; another caller may then create one with the same id. So between the question
//! whether a caller may change a resource and the change itself, the id may come to mean another resource.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use carbonara::Timestamp;
use futures::stream;
use gnocchi_core::Drivers;
use gnocchi_core::model::{GENERIC, NewMetric, NewResource, ResourceMetric};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::failing_indexer::FailingIndexer;
use crate::rights::{Mode, Story};
use crate::support::{Answer, NOW_SECONDS, drivers};

const RESOURCE: &str = "f93450f2-d8a5-4d67-9985-02511241e7d1";
const OTHER: &str = "2d4b9a0e-6a53-4f0e-a1f2-7d5be0c3c001";

/// Requests that change the resource of that id: method, path and body.
const CHANGES: [(&str, &str, &str); 10] = [
    (
        "PATCH",
        "/v1/resource/generic/ID",
        r#"{"project_id": "p-mallory"}"#,
    ),
    ("PATCH", "/v1/resource/generic/ID", r#"{"metrics": {}}"#),
    (
        "PATCH",
        "/v1/resource/generic/ID",
        r#"{"metrics": {"own": {}}}"#,
    ),
    ("PATCH", "/v1/resource/generic/ID", "{}"),
    ("POST", "/v1/resource/generic/ID/metric", r#"{"own": {}}"#),
    ("POST", "/v1/resource/generic/ID/metric", "{}"),
    (
        "POST",
        "/v1/metric",
        r#"{"name": "own", "resource_id": "ID"}"#,
    ),
    (
        "POST",
        "/v1/batch/resources/metrics/measures?create_metrics=true",
        r#"{"ID": {"own": [{"timestamp": 1, "value": 1}]}}"#,
    ),
    (
        "POST",
        "/v1/influxdb/write?db=generic",
        "own,host=ID value=1",
    ),
    ("DELETE", "/v1/resource/generic/ID", ""),
];

/// A store in which others act between the questions and the write of a request.
struct Race {
    story: Story,
    indexer: FailingIndexer,
}

impl Race {
    async fn new(mode: Mode, rules: &[(&str, &str)]) -> Self {
        let indexer = FailingIndexer::default();
        let drivers = Drivers {
            indexer: Arc::new(indexer.clone()),
            ..drivers()
        };
        let story = Story::on(drivers, mode, rules).await;
        Self { story, indexer }
    }

    fn creator(&self, caller: &str) -> String {
        match self.story.mode {
            Mode::Names => caller.to_owned(),
            Mode::Projects => format!("{caller}:p-{caller}"),
        }
    }

    /// A resource with the metric `cpu` that another caller creates in place of the first one.
    fn replacement(&self, creator: &str) -> NewResource {
        let metric = NewMetric::new(None, "second", None, None, None).unwrap();
        NewResource {
            id: RESOURCE.parse().unwrap(),
            resource_type: GENERIC.into(),
            creator: Some(self.creator(creator)),
            original_resource_id: RESOURCE.into(),
            started_at: Timestamp::from_second(NOW_SECONDS).unwrap(),
            ended_at: None,
            user_id: None,
            project_id: None,
            attributes: BTreeMap::new(),
            metrics: BTreeMap::from([("cpu".to_owned(), ResourceMetric::New(metric))]),
        }
    }

    async fn send(&self, (method, path, body): (&str, &str, &str)) -> Answer {
        let path = path.replace("ID", RESOURCE);
        let call = self.story.app.call(method, &path);
        let call = self.story.sign(call, "mallory").wants_json();
        if body.is_empty() {
            return call.send().await;
        }
        let content_type = if path.contains("influxdb") {
            "text/plain"
        } else {
            "application/json"
        };
        let call = call.header("content-type", content_type);
        call.body(body.replace("ID", RESOURCE)).send().await
    }

    async fn seen_by(&self, caller: &str) -> Value {
        let path = format!("/v1/resource/generic/{RESOURCE}");
        self.story.get(caller, &path).await.is(200).json()
    }
}

#[tokio::test]
async fn a_change_does_not_reach_the_resource_of_somebody_else() {
    for mode in [Mode::Names, Mode::Projects] {
        for change in CHANGES {
            let race = Race::new(mode, &[]).await;
            race.story.resource("mallory", RESOURCE, json!({})).await;
            race.indexer
                .replace_before_next_write(race.replacement("victim"));
            let answer = race.send(change).await;
            assert!(race.indexer.has_replaced(), "{change:?}");
            let status = answer.status.as_u16();
            assert_eq!(status, 403, "{mode:?} {change:?} {}", answer.text());
            assert!(
                answer
                    .text()
                    .contains("The access rules do not allow this request")
            );
            let seen = race.seen_by("victim").await;
            assert_eq!(seen["creator"], race.creator("victim"), "{change:?}");
            assert_eq!(seen["project_id"], Value::Null, "{change:?}");
            let names: Vec<&String> = seen["metrics"].as_object().unwrap().keys().collect();
            assert_eq!(names, ["cpu"], "{change:?}");
        }
    }
}

#[tokio::test]
async fn a_change_goes_on_with_another_resource_that_the_caller_may_change() {
    for change in CHANGES {
        let race = Race::new(Mode::Projects, &[]).await;
        race.story.resource("mallory", RESOURCE, json!({})).await;
        let mut own = race.replacement("mallory");
        own.user_id = Some("later".into());
        own.original_resource_id = RESOURCE.to_uppercase();
        race.indexer.replace_before_next_write(own);
        let answer = race.send(change).await;
        assert!(race.indexer.has_replaced(), "{change:?}");
        let status = answer.status;
        assert!(status.is_success(), "{change:?} {}", answer.text());
        if change.0 == "DELETE" {
            let path = format!("/v1/resource/generic/{RESOURCE}");
            race.story.get("mallory", &path).await.is(404);
            continue;
        }
        let seen = race.seen_by("mallory").await;
        assert_eq!(seen["user_id"], "later");
        let mut names = seen["metrics"].as_object().unwrap().keys();
        let has_own = names.any(|name| name.starts_with("own"));
        assert_eq!(has_own, format!("{change:?}").contains("own"), "{change:?}");
    }
}

#[tokio::test]
async fn a_deletion_by_filter_does_not_reach_the_resource_of_somebody_else() {
    // Indexers cannot filter by the first rule, so it is asked about each resource.
    let one_by_one = [
        ("delete resource", "rule:creator and not 'kept':%(user_id)s"),
        (
            "delete resources",
            "rule:creator and not 'kept':%(user_id)s",
        ),
    ];
    for (mode, rules) in [
        (Mode::Names, [].as_slice()),
        (Mode::Projects, [].as_slice()),
        (Mode::Names, one_by_one.as_slice()),
        (Mode::Projects, one_by_one.as_slice()),
    ] {
        let race = Race::new(mode, rules).await;
        race.story.resource("mallory", RESOURCE, json!({})).await;
        race.story.resource("mallory", OTHER, json!({})).await;
        race.indexer
            .replace_before_next_write(race.replacement("victim"));
        let all = json!({">": {"started_at": "2000-01-01"}});
        let path = "/v1/resource/generic";
        let deleted = race.story.ask("mallory", "DELETE", path, all).await;
        assert!(race.indexer.has_replaced());
        assert_eq!(deleted.is(200).json()["deleted"], 1, "{mode:?} {rules:?}");
        assert_eq!(
            race.seen_by("victim").await["creator"],
            race.creator("victim")
        );
    }
}

#[tokio::test]
async fn conditions_are_about_the_resource_that_is_changed() {
    for method in ["PATCH", "DELETE"] {
        let race = Race::new(Mode::Names, &[]).await;
        let made = race.story.resource("mallory", RESOURCE, json!({})).await;
        let tag = made.header("etag").to_owned();
        let mut own = race.replacement("mallory");
        own.original_resource_id = RESOURCE.to_uppercase();
        own.started_at = Timestamp::from_second(NOW_SECONDS + 1).unwrap();
        race.indexer.replace_before_next_write(own);
        let path = format!("/v1/resource/generic/{RESOURCE}");
        let call = race.story.app.call(method, &path).header("if-match", &tag);
        let call = race.story.sign(call, "mallory");
        call.json(&json!({"user_id": "late"})).await.is(412);
        assert!(race.indexer.has_replaced());
        assert_eq!(race.seen_by("mallory").await["user_id"], Value::Null);
    }
}

/// Sends a request whose body comes only after `meanwhile`, which begins when the body is waited for.
async fn slowly(
    story: &Story,
    (method, path, body): (&str, &str, &str),
    meanwhile: impl Future<Output = ()>,
) -> Answer {
    let (is_awaited, awaited) = oneshot::channel();
    let (go_on, gone_on) = oneshot::channel();
    let bytes = Bytes::from(body.replace("ID", RESOURCE));
    let pieces = stream::once(async move {
        is_awaited.send(()).unwrap();
        gone_on.await.unwrap();
        Ok::<_, Infallible>(bytes)
    });
    let call = story.app.call(method, &path.replace("ID", RESOURCE));
    let call = story.sign(call, "mallory").wants_json();
    let answer = call.raw_json(Body::from_stream(pieces));
    let meanwhile = async {
        awaited.await.unwrap();
        meanwhile.await;
        go_on.send(()).unwrap();
    };
    let (answer, ()) = futures::join!(answer, meanwhile);
    answer
}

#[tokio::test]
async fn a_body_that_comes_late_changes_nothing_of_somebody_else() {
    let path = format!("/v1/resource/generic/{RESOURCE}");
    for mode in [Mode::Names, Mode::Projects] {
        for change in &CHANGES[..8] {
            let story = Story::new(mode).await;
            story.resource("mallory", RESOURCE, json!({})).await;
            let meanwhile = async {
                let gone = story.ask("mallory", "DELETE", &path, Value::Null).await;
                gone.is(204);
                story.resource("victim", RESOURCE, json!({})).await;
            };
            let answer = slowly(&story, *change, meanwhile).await;
            assert_eq!(answer.status.as_u16(), 403, "{mode:?} {change:?}");
            let seen = story.get("victim", &path).await.is(200).json();
            assert_eq!(seen["project_id"], Value::Null, "{change:?}");
            assert_eq!(seen["metrics"].as_object().unwrap().len(), 1, "{change:?}");
        }
    }
}

#[tokio::test]
async fn rights_count_that_a_caller_has_when_measures_have_come() {
    let rule = "rule:creator and not 'kept':%(resource.user_id)s";
    let story = Story::with_rules(Mode::Names, &[("post measures", rule)]).await;
    let made = story.resource("mallory", RESOURCE, json!({})).await.json();
    let metric = made["metrics"]["cpu"].as_str().unwrap();
    let of_metric = format!("/v1/metric/{metric}/measures");
    for path in [
        of_metric.as_str(),
        "/v1/resource/generic/ID/metric/cpu/measures",
    ] {
        let keep = async |user: Value| {
            let path = format!("/v1/resource/generic/{RESOURCE}");
            let user = json!({"user_id": user});
            story.ask("admin", "PATCH", &path, user).await.is(200);
        };
        let body = r#"[{"timestamp": 1, "value": 1}]"#;
        let refused = slowly(&story, ("POST", path, body), keep(json!("kept"))).await;
        refused.is(403);
        keep(Value::Null).await;
        let taken = slowly(&story, ("POST", path, body), async {}).await;
        taken.is(202);
    }
}

#[tokio::test]
async fn a_metric_is_not_taken_from_a_resource_that_the_caller_may_not_change() {
    let rule = "rule:creator and not 'kept':%(user_id)s";
    let story = Story::with_rules(Mode::Projects, &[("update resource", rule)]).await;
    let kept = json!({"user_id": "kept"});
    let made = story.resource("mallory", RESOURCE, kept).await.json();
    let metric = made["metrics"]["cpu"].clone();
    story.resource("mallory", OTHER, json!({})).await;
    let taken = json!({"taken": metric});
    let patch = json!({"metrics": taken});
    let third = json!({"id": "third", "metrics": taken});
    let other = format!("/v1/resource/generic/{OTHER}");
    let attach = [
        ("PATCH", other.clone(), patch),
        ("POST", format!("{other}/metric"), taken.clone()),
        ("POST", "/v1/resource/generic".to_owned(), third),
    ];
    for (method, path, body) in &attach {
        let refused = story.ask("mallory", method, path, body.clone()).await;
        refused.is(403);
        assert_eq!(story.names_of("mallory", RESOURCE).await, ["cpu"]);
    }
    // Metrics of others do not exist for the caller, wherever they are.
    for (method, path, body) in &attach[2..] {
        let refused = story.ask("stranger", method, path, body.clone()).await;
        refused.is(400).says("does not exist");
    }
    // The resource that has it already loses nothing.
    let named = story.resource("mallory", "free", json!({})).await.json();
    let own = json!({"metrics": {"cpu": named["metrics"]["cpu"]}});
    let resource = "/v1/resource/generic/free";
    story.ask("mallory", "PATCH", resource, own).await.is(200);
}
