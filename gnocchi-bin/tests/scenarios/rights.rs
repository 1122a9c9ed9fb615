//! Callers neither write to what belongs to others nor compute with it, on any path.

mod past;

use std::sync::Arc;

use gnocchi_core::policy::Enforcer;
use gnocchi_core::{Drivers, Gnocchi, Settings};
use gnocchi_server::api::auth::{AccessControl, Authenticator, Policy};
use gnocchi_server::api::{self, ApiState};
use serde_json::{Value, json};

use crate::failing_indexer::FailingIndexer;
use crate::support::{Answer, App, Call, drivers, settings};

const RESOURCE: &str = "f93450f2-d8a5-4d67-9985-02511241e7d1";
const OTHER: &str = "2d4b9a0e-6a53-4f0e-a1f2-7d5be0c3c001";

/// How callers say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Names,
    Projects,
}

/// A store with a policy `second` for every metric.
pub(crate) struct Story {
    pub(crate) app: App,
    pub(crate) mode: Mode,
}

impl Story {
    pub(crate) async fn new(mode: Mode) -> Self {
        Self::with_rules(mode, &[]).await
    }

    pub(crate) async fn with_rules(mode: Mode, rules: &[(&str, &str)]) -> Self {
        Self::on(drivers(), mode, rules).await
    }

    pub(crate) async fn on(drivers: Drivers, mode: Mode, rules: &[(&str, &str)]) -> Self {
        let authenticator = match mode {
            Mode::Names => Authenticator::default(),
            Mode::Projects => Authenticator::IdentityHeaders,
        };
        let enforcer = Enforcer::new(rules.iter().copied(), "default").unwrap();
        let access = AccessControl {
            authenticator,
            policy: Policy::new(enforcer),
            ..AccessControl::default()
        };
        let gnocchi = Gnocchi::new(drivers, Settings::default());
        let state = ApiState::with_access(gnocchi.clone(), settings(), access, None);
        let router = api::router(state);
        let app = App { gnocchi, router };
        let story = Self { app, mode };
        let policy = json!({"name": "second", "definition": [{"granularity": 1}]});
        let policies = "/v1/archive_policy";
        story.ask("admin", "POST", policies, policy).await.is(201);
        let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
        let rules = "/v1/archive_policy_rule";
        story.ask("admin", "POST", rules, rule).await.is(201);
        story
    }

    pub(crate) fn sign<'a>(&self, call: Call<'a>, caller: &str) -> Call<'a> {
        match self.mode {
            Mode::Names => call.user(caller),
            Mode::Projects => {
                let role = match caller {
                    "admin" | "service" => caller,
                    _ => "member",
                };
                call.identity(caller, &format!("p-{caller}"), role)
            }
        }
    }

    pub(crate) async fn ask(&self, caller: &str, method: &str, path: &str, body: Value) -> Answer {
        let call = self.sign(self.app.call(method, path), caller).wants_json();
        if body.is_null() {
            call.send().await
        } else {
            call.json(&body).await
        }
    }

    pub(crate) async fn get(&self, caller: &str, path: &str) -> Answer {
        self.ask(caller, "GET", path, Value::Null).await
    }

    pub(crate) async fn post(&self, caller: &str, path: &str, body: Value) -> Answer {
        self.ask(caller, "POST", path, body).await
    }

    pub(crate) async fn line(&self, caller: &str, line: &str) -> Answer {
        let call = self.app.call("POST", "/v1/influxdb/write?db=generic");
        let call = self.sign(call, caller).body(line.to_owned());
        call.send().await
    }

    /// Makes a resource with the metric `cpu`, which has one measure.
    pub(crate) async fn resource(&self, caller: &str, id: &str, more: Value) -> Answer {
        let mut body = json!({"id": id, "metrics": {"cpu": {}}});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let made = self.post(caller, "/v1/resource/generic", body).await;
        let made = made.is(201);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let measures = format!("/v1/resource/generic/{id}/metric/cpu/measures");
        let measure = json!([{"timestamp": "2015-06-06T14:00:00", "value": 42}]);
        self.post(caller, &measures, measure).await.is(202);
        made
    }

    pub(crate) async fn names_of(&self, caller: &str, resource: &str) -> Vec<String> {
        let path = format!("/v1/resource/generic/{resource}/metric");
        let listed = self.get(caller, &path).await.is(200).json();
        let names = listed.as_array().unwrap().iter();
        let mut names: Vec<String> = names
            .map(|metric| metric["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names
    }
}

fn measures(resource: &str, name: &str) -> Value {
    json!({resource: {name: [{"timestamp": 1, "value": 1}]}})
}

#[tokio::test]
async fn nobody_makes_metrics_on_the_resource_of_somebody_else() {
    const BATCH: &str = "/v1/batch/resources/metrics/measures?create_metrics=true";
    for mode in [Mode::Names, Mode::Projects] {
        let story = Story::new(mode).await;
        // The second id is derived from who makes it; its UUID addresses it for every caller.
        let derived = story.resource("owner", "web", json!({})).await.json();
        let derived = derived["id"].as_str().unwrap().to_owned();
        story.resource("owner", RESOURCE, json!({})).await;
        for id in [RESOURCE, &derived] {
            let metric = |name: &str| json!({"name": name, "resource_id": id});
            story.post("other", "/v1/metric", metric("a")).await.is(403);
            // Whether the name is taken is not told either.
            story
                .post("other", "/v1/metric", metric("cpu"))
                .await
                .is(403);
            story.post("other", BATCH, measures(id, "b")).await.is(403);
            story
                .line("other", &format!("c,host={id} d=1"))
                .await
                .is(403);
            let body = json!({"e": {}});
            let added = format!("/v1/resource/generic/{id}/metric");
            story.post("other", &added, body).await.is(403);
            assert_eq!(story.names_of("owner", id).await, ["cpu"]);

            let made = story.post("owner", "/v1/metric", metric("a")).await;
            made.is(201);
            story.post("owner", BATCH, measures(id, "b")).await.is(202);
            story
                .line("owner", &format!("c,host={id} d=1"))
                .await
                .is(204);
            let taken = story.post("owner", "/v1/metric", metric("a")).await;
            taken.is(400).says("Named metric already exists");
            assert_eq!(story.names_of("owner", id).await, ["a", "b", "c.d", "cpu"]);
        }
        let missing = json!({"name": "a", "resource_id": OTHER});
        let refused = story.post("other", "/v1/metric", missing).await;
        refused
            .is(400)
            .says(&format!("Resource {OTHER} does not exist"));
        // What does not exist is told before what the caller may not do.
        let mut batch = measures(RESOURCE, "b");
        let unknown = measures(OTHER, "b").as_object().unwrap().clone();
        batch.as_object_mut().unwrap().extend(unknown);
        let refused = story.post("other", BATCH, batch).await;
        refused.is(400).says("Unknown resources");
    }
}

#[tokio::test]
async fn metrics_of_a_resource_belong_to_its_creator() {
    for mode in [Mode::Names, Mode::Projects] {
        let story = Story::new(mode).await;
        let helper = match mode {
            Mode::Names => "admin",
            Mode::Projects => "service",
        };
        let creator = story.resource("owner", RESOURCE, json!({})).await.json();
        let of_resource = format!("/v1/resource/generic/{RESOURCE}");
        let added = format!("{of_resource}/metric");
        let made = story.post(helper, &added, json!({"a": {}})).await.is(200);
        assert_eq!(made.json()[0]["creator"], creator["creator"]);
        let alone = json!({"name": "b", "resource_id": RESOURCE});
        let made = story.post(helper, "/v1/metric", alone).await.is(201);
        assert_eq!(made.json()["creator"], creator["creator"]);
        let batch = "/v1/batch/resources/metrics/measures?create_metrics=true";
        story
            .post(helper, batch, measures(RESOURCE, "c"))
            .await
            .is(202);
        story
            .line(helper, &format!("d,host={RESOURCE} e=1"))
            .await
            .is(204);
        let metrics = json!({"metrics": {"f": {}}});
        for name in ["a", "b", "c", "d.e"] {
            let path = format!("{of_resource}/metric/{name}/measures");
            let measure = json!([{"timestamp": 5, "value": 1}]);
            story.post("owner", &path, measure).await.is(202);
            story.get("owner", &path).await.is(200);
        }
        story
            .ask(helper, "PATCH", &of_resource, metrics)
            .await
            .is(200);
        let path = format!("{of_resource}/metric/f");
        let shown = story.get("owner", &path).await.is(200).json();
        assert_eq!(shown["creator"], creator["creator"]);
    }
}

#[tokio::test]
async fn names_delete_by_a_filter_what_they_may_delete_one_by_one() {
    let story = Story::new(Mode::Names).await;
    let path = "/v1/resource/generic";
    let owned = json!({"project_id": "x"});
    let filter = json!({"=": {"project_id": "x"}});
    let deleted = async |caller: &str, filter: &Value| {
        let answer = story.ask(caller, "DELETE", path, filter.clone()).await;
        match answer.status.as_u16() {
            200 => Ok(answer.json()["deleted"].as_u64().unwrap()),
            status => Err(status),
        }
    };
    story.resource("owner", RESOURCE, owned.clone()).await;
    assert_eq!(deleted("other", &filter).await, Err(403));
    story.resource("other", OTHER, owned.clone()).await;
    assert_eq!(deleted("other", &filter).await, Ok(1));
    assert_eq!(deleted("other", &filter).await, Err(403));
    let nothing = json!({"=": {"project_id": "y"}});
    assert_eq!(deleted("other", &nothing).await, Ok(0));
    let shown = format!("{path}/{RESOURCE}");
    story.get("owner", &shown).await.is(200);
    assert_eq!(deleted("admin", &filter).await, Ok(1));
    story.get("owner", &shown).await.is(404);
}

#[tokio::test]
async fn names_compute_with_what_they_may_read() {
    let story = Story::new(Mode::Names).await;
    let owned = |user: &str| json!({"project_id": "x", "user_id": user});
    story.resource("owner", RESOURCE, owned("u1")).await;
    let search = |text: &str| json!({"operations": "(aggregate sum (metric cpu mean))", "resource_type": "generic", "search": text});
    let all = "project_id = 'x'";
    let queries = [
        "",
        "?details=true",
        "?groupby=user_id",
        "?groupby=user_id&use_history=true",
    ];
    for query in queries {
        let path = format!("/v1/aggregates{query}");
        story.post("other", &path, search(all)).await.is(403);
        let computed = story.post("owner", &path, search(all)).await;
        computed.is(200).says("42.0");
        // Where there is nothing, nothing is refused.
        let nothing = search("project_id = 'y'");
        story.post("other", &path, nothing).await.is(404);
    }
    let legacy = "/v1/aggregation/resource/generic/metric/cpu";
    let filter = || json!({"=": {"project_id": "x"}});
    for query in ["", "?groupby=user_id"] {
        let path = format!("{legacy}{query}");
        story.post("other", &path, filter()).await.is(403);
        story.post("owner", &path, filter()).await.is(200);
        let nothing = json!({"=": {"project_id": "y"}});
        let found = story.post("other", &path, nothing).await.is(200);
        assert_eq!(found.json(), json!([]));
    }
    let nameless = "/v1/aggregation/resource/generic/metric/cp*";
    let found = story.post("other", nameless, filter()).await.is(200);
    assert_eq!(found.json(), json!([]));
    // Among others', their own is computed with.
    story.resource("other", OTHER, owned("u2")).await;
    for query in queries {
        let path = format!("/v1/aggregates{query}");
        let own = story.post("other", &path, search(all)).await.is(200);
        assert!(own.text().contains("42.0"), "{}", own.text());
        assert!(!own.text().contains("u1"), "{}", own.text());
        let both = story.post("admin", &path, search(all)).await.is(200);
        let sum = if query.contains("groupby") {
            "u1"
        } else {
            "84.0"
        };
        both.says(sum);
    }
    let own = story.post("other", legacy, filter()).await.is(200);
    own.says("42.0");
    let grouped = format!("{legacy}?groupby=user_id");
    let own = story.post("other", &grouped, filter()).await.is(200);
    assert_eq!(own.json().as_array().unwrap().len(), 1);
}

/// The owner of a resource reads its metrics, whoever created them.
#[tokio::test]
async fn projects_compute_with_what_belongs_to_them() {
    let story = Story::new(Mode::Projects).await;
    let owned = json!({"project_id": "p-owner"});
    story.resource("maker", RESOURCE, owned).await;
    let body = json!({"operations": "(metric cpu mean)", "resource_type": "generic", "search": {}});
    let legacy = "/v1/aggregation/resource/generic/metric/cpu";
    for caller in ["maker", "owner", "service", "admin"] {
        let computed = story.post(caller, "/v1/aggregates", body.clone()).await;
        computed.is(200).says("42.0");
        let computed = story.post(caller, legacy, json!({})).await;
        computed.is(200).says("42.0");
    }
    // Of what others have, nothing is told, not even that it is there.
    let absent = story.post("other", "/v1/aggregates", body).await;
    absent.is(404).says("Metric ['cpu'] does not exist");
    let absent = story.post("other", legacy, json!({})).await.is(200);
    assert_eq!(absent.json(), json!([]));
    let filter = json!({"=": {"id": RESOURCE}});
    let absent = story.ask("other", "DELETE", "/v1/resource/generic", filter);
    assert_eq!(absent.await.is(200).json(), json!({"deleted": 0}));
}

#[tokio::test]
async fn rules_of_metrics_decide_about_series_of_resources() {
    let rules = [("get metric", "role:admin or not 'secret':%(name)s")];
    let story = Story::with_rules(Mode::Projects, &rules).await;
    let metrics = json!({"metrics": {"cpu": {}, "secret": {}}});
    story.resource("owner", RESOURCE, metrics).await;
    let search = |operations: &str| json!({"operations": operations, "resource_type": "generic", "search": {}});
    let compute = async |caller: &str, operations: &str| {
        let path = "/v1/aggregates?details=true";
        story.post(caller, path, search(operations)).await
    };
    let both = compute("owner", "(metric * mean)").await.is(200);
    assert!(!both.text().contains("secret"), "{}", both.text());
    compute("owner", "(metric secret mean)").await.is(403);
    compute("admin", "(metric secret mean)").await.is(200);
    let legacy = "/v1/aggregation/resource/generic/metric/secret";
    story.post("owner", legacy, json!({})).await.is(403);
    story.post("admin", legacy, json!({})).await.is(200);
}

/// Which names a hidden resource has is not told by the status for those that it has not.
#[tokio::test]
async fn names_of_metrics_cannot_be_guessed() {
    let story = Story::new(Mode::Projects).await;
    let owned = json!({"project_id": "p-partner"});
    story.resource("owner", RESOURCE, owned).await;
    let batch = "/v1/batch/resources/metrics/measures";
    let guess = async |caller: &str, name: &str| {
        let path = format!("/v1/resource/generic/{RESOURCE}/metric/{name}");
        let shown = story.get(caller, &path).await;
        let sent = story.post(caller, batch, measures(RESOURCE, name)).await;
        let measures = story.get(caller, &format!("{path}/measures")).await;
        [shown, sent, measures].map(|answer| (answer.status.as_u16(), answer.text()))
    };
    let of_none = guess("other", "none").await;
    assert_eq!(of_none.each_ref().map(|(status, _)| *status), [403; 3]);
    assert_eq!(guess("other", "cpu").await, of_none);
    for caller in ["owner", "partner", "service", "admin"] {
        let statuses = guess(caller, "none").await.map(|(status, _)| status);
        assert_eq!(statuses, [404, 400, 404], "{caller}");
    }
}

/// A rule about the resource of a metric counts in batches too: there it grants nothing, but it can deny.
#[tokio::test]
async fn rules_with_a_negation_see_the_resource_of_every_metric() {
    let closed = "not 'closed':%(resource.user_id)s";
    let rules = [
        ("post measures", closed),
        ("get metric", closed),
        ("search metric", closed),
    ];
    let story = Story::with_rules(Mode::Projects, &rules).await;
    for (id, user) in [(OTHER, "open"), (RESOURCE, "closed")] {
        let body = json!({"id": id, "user_id": user, "metrics": {"cpu": {}}});
        let made = story.post("owner", "/v1/resource/generic", body).await;
        let metric = made.is(201).json()["metrics"]["cpu"].clone();
        let metric = metric.as_str().unwrap();
        let check = async |method: &str, path: String, body: Value| {
            let answer = story.ask("member", method, &path, body).await;
            let answer = match user {
                "open" => answer,
                _ => answer.is(403),
            };
            let is_allowed = answer.status.is_success();
            assert_eq!(is_allowed, user == "open", "{path}: {}", answer.text());
        };
        let measure = json!([{"timestamp": 1, "value": 1}]);
        let path = format!("/v1/metric/{metric}/measures");
        check("POST", path, measure.clone()).await;
        let path = "/v1/batch/metrics/measures".to_owned();
        check("POST", path, json!({metric: measure})).await;
        let path = "/v1/batch/resources/metrics/measures".to_owned();
        check("POST", path, measures(id, "cpu")).await;
        let path = format!("/v1/aggregation/metric?metric={metric}");
        check("GET", path, Value::Null).await;
        let path = format!("/v1/search/metric?metric_id={metric}");
        check("POST", path, json!({"=": 1})).await;
        let operations = json!({"operations": ["metric", [metric, "mean"]]});
        check("POST", "/v1/aggregates".to_owned(), operations).await;
    }
}

/// In batches the project that owns a resource has no right to its metrics, whatever else the rule says about the resource.
#[tokio::test]
async fn the_resource_of_a_metric_lets_nobody_through_in_batches() {
    let rule = "(rule:creator or rule:metric_owner) and not 'closed':%(resource.user_id)s";
    let rules = [
        ("post measures", rule),
        ("get metric", rule),
        ("search metric", rule),
    ];
    let story = Story::with_rules(Mode::Projects, &rules).await;
    let body = json!({"id": RESOURCE, "project_id": "p-member", "metrics": {"cpu": {}}});
    let made = story.post("owner", "/v1/resource/generic", body).await;
    let metric = made.is(201).json()["metrics"]["cpu"].clone();
    let metric = metric.as_str().unwrap();
    let measure = json!([{"timestamp": 1, "value": 1}]);
    let one = format!("/v1/metric/{metric}/measures");
    let requests = [
        (
            "POST",
            "/v1/batch/metrics/measures".to_owned(),
            json!({metric: measure}),
        ),
        (
            "POST",
            "/v1/batch/resources/metrics/measures".to_owned(),
            measures(RESOURCE, "cpu"),
        ),
        (
            "GET",
            format!("/v1/aggregation/metric?metric={metric}"),
            Value::Null,
        ),
        (
            "POST",
            format!("/v1/search/metric?metric_id={metric}"),
            json!({"=": 1}),
        ),
    ];
    for (caller, is_allowed) in [("owner", true), ("member", false)] {
        story.post(caller, &one, measure.clone()).await.is(202);
        for (method, path, body) in &requests {
            let answer = story.ask(caller, method, path, body.clone()).await;
            assert_eq!(answer.status.is_success(), is_allowed, "{caller} {path}");
        }
    }
}

/// However many things a rule has to be asked about, they are read together.
#[tokio::test]
async fn rules_about_many_things_take_few_questions() {
    let open = "not 'closed':%(resource.user_id)s";
    let rules = [
        ("post measures", open),
        ("get metric", open),
        ("search metric", open),
        ("list metric", open),
        ("list resource", "not 'closed':%(user_id)s"),
        ("search resource", "not 'closed':%(user_id)s"),
        ("delete resources", "not 'closed':%(user_id)s"),
    ];
    let mut counted = Vec::new();
    for things in [2, 40] {
        let indexer = FailingIndexer::default();
        let drivers = Drivers {
            indexer: Arc::new(indexer.clone()),
            ..drivers()
        };
        let story = Story::on(drivers, Mode::Projects, &rules).await;
        let mut metrics = Vec::new();
        for number in 0..things {
            let body =
                json!({"id": format!("r{number}"), "user_id": "open", "metrics": {"cpu": {}}});
            let made = story.post("owner", "/v1/resource/generic", body).await;
            let made = made.is(201).json();
            metrics.push(made["metrics"]["cpu"].as_str().unwrap().to_owned());
        }
        let measure = json!([{"timestamp": 1, "value": 1}]);
        let batch: serde_json::Map<String, Value> = (metrics.iter())
            .map(|metric| (metric.clone(), measure.clone()))
            .collect();
        let mut operations = vec![json!("metric")];
        operations.extend(metrics.iter().map(|metric| json!([metric, "mean"])));
        let across = json!({"operations": "(aggregate sum (metric cpu mean))", "resource_type": "generic", "search": {}});
        let named = |name: &str| {
            let named = metrics.iter().map(|metric| format!("{name}={metric}"));
            named.collect::<Vec<_>>().join("&")
        };
        let requests = [
            (
                "POST",
                "/v1/batch/metrics/measures".to_owned(),
                json!(batch),
            ),
            (
                "POST",
                "/v1/aggregates".to_owned(),
                json!({"operations": operations}),
            ),
            ("POST", "/v1/aggregates".to_owned(), across),
            (
                "GET",
                format!("/v1/aggregation/metric?{}", named("metric")),
                Value::Null,
            ),
            (
                "POST",
                "/v1/aggregation/resource/generic/metric/cpu".to_owned(),
                json!({}),
            ),
            (
                "POST",
                format!("/v1/search/metric?{}", named("metric_id")),
                json!({"=": 1}),
            ),
            ("GET", "/v1/metric".to_owned(), Value::Null),
            ("GET", "/v1/resource/generic".to_owned(), Value::Null),
            (
                "DELETE",
                "/v1/resource/generic".to_owned(),
                json!({"=": {"user_id": "open"}}),
            ),
        ];
        let mut calls = Vec::new();
        for (method, path, body) in requests {
            let before = indexer.calls();
            let answer = story.ask("owner", method, &path, body).await;
            assert!(answer.status.is_success(), "{path}: {}", answer.text());
            calls.push(indexer.calls() - before);
        }
        counted.push(calls);
    }
    assert_eq!(counted[0], counted[1]);
}
