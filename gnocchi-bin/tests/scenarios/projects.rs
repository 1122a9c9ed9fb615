//! Projects that keep their things from each other, in process: an identity layer in front is trusted.

use gnocchi_core::policy::Enforcer;
use gnocchi_server::api::auth::{AccessControl, Authenticator, Policy};
use serde_json::{Value, json};

use crate::matrix;
use crate::support::{Answer, App};

const RESOURCE: &str = "f93450f2-d8a5-4d67-9985-02511241e7d1";

struct Projects(App);

impl Projects {
    fn new(rules: &[(&str, &str)]) -> Self {
        let enforcer = Enforcer::new(rules.iter().copied(), "default").unwrap();
        Self(App::with_access(AccessControl {
            authenticator: Authenticator::IdentityHeaders,
            policy: Policy::new(enforcer),
            ..AccessControl::default()
        }))
    }

    /// Starts with the resource of the matrix; returns the id of its metric.
    async fn with_resource(rules: &[(&str, &str)]) -> (Self, String) {
        let projects = Self::new(rules);
        let policy = json!({"name": "second", "definition": [{"granularity": "1 second"}]});
        let call = projects.call("admin", "POST", "/v1/archive_policy", policy);
        call.await.is(201);
        let body = matrix::resource(RESOURCE, "p2");
        let call = projects.call("u1", "POST", "/v1/resource/generic", body);
        let created = call.await.is(201).json();
        let metric = created["metrics"]["cpu"].as_str().unwrap().to_owned();
        (projects, metric)
    }

    async fn call(&self, caller: &str, method: &str, path: &str, body: Value) -> Answer {
        let (name, project, role) = matrix::CALLERS
            .into_iter()
            .find(|(name, ..)| *name == caller)
            .unwrap();
        let call = self.0.call(method, path).identity(name, project, role);
        if body.is_null() {
            call.wants_json().send().await
        } else {
            call.wants_json().json(&body).await
        }
    }

    async fn get(&self, caller: &str, path: &str) -> Answer {
        self.call(caller, "GET", path, Value::Null).await
    }
}

#[tokio::test]
async fn every_cell_of_the_matrix() {
    for cell in matrix::cells() {
        let (projects, metric) = Projects::with_resource(&[]).await;
        let (method, path, body) = matrix::request(cell.column, RESOURCE, &metric);
        let answer = projects.call(cell.caller, method, &path, body).await;
        let thing = if cell.column == "counted" {
            metric.as_str()
        } else {
            RESOURCE
        };
        matrix::check(&cell, thing, answer.status.as_u16(), &answer.text());
    }
}

#[tokio::test]
async fn a_hidden_resource_looks_like_none() {
    let (projects, _) = Projects::with_resource(&[]).await;
    let hidden = projects
        .get("u4", &format!("/v1/resource/generic/{RESOURCE}"))
        .await
        .is(404);
    let text = format!("Resource {RESOURCE} does not exist");
    assert_eq!(hidden.description(), text);
    let history = format!("/v1/resource/generic/{RESOURCE}/history");
    projects.get("u4", &history).await.is(404);
    projects.get("u2", &history).await.is(200);
}

#[tokio::test]
async fn metrics_without_a_resource_are_listed_to_who_made_them() {
    let (projects, _) = Projects::with_resource(&[]).await;
    let body = json!({"archive_policy_name": "second"});
    let made = projects.call("u1", "POST", "/v1/metric", body).await;
    let metric = made.is(201).json()["id"].as_str().unwrap().to_owned();
    for (caller, sees) in [("u1", true), ("u3", true), ("u2", false), ("admin", true)] {
        let listed = projects.get(caller, "/v1/metric").await.is(200);
        assert_eq!(listed.text().contains(&metric), sees, "{caller}");
    }
}

#[tokio::test]
async fn deleting_by_a_filter_takes_what_the_project_made() {
    let (projects, _) = Projects::with_resource(&[]).await;
    let filter = json!({"=": {"project_id": "p2"}});
    let path = "/v1/resource/generic";
    for (caller, deleted) in [("u4", 0), ("u2", 0), ("service", 0), ("u3", 1)] {
        let answer = projects.call(caller, "DELETE", path, filter.clone()).await;
        assert_eq!(answer.is(200).json()["deleted"], deleted, "{caller}");
    }
}

#[tokio::test]
async fn who_may_list_nothing_is_told_so() {
    let rules = [
        ("list resource", "role:auditor"),
        ("search resource", "role:auditor"),
        ("list metric", "role:auditor"),
        ("get resource", "role:auditor"),
    ];
    let (projects, _) = Projects::with_resource(&rules).await;
    for path in ["/v1/resource/generic", "/v1/metric"] {
        let refused = projects.get("u1", path).await.is(403);
        assert_eq!(refused.description(), "Insufficient privileges");
    }
    // Even what is no filter tells nothing.
    let broken = json!({"no operator": 1});
    for path in [
        "/v1/search/resource/generic",
        "/v1/aggregation/resource/generic/metric/cpu",
    ] {
        let refused = projects.call("u1", "POST", path, broken.clone());
        refused.await.is(403);
    }
    let shown = format!("/v1/resource/generic/{RESOURCE}");
    projects.get("u1", &shown).await.is(403);
}

#[tokio::test]
async fn a_service_creates_types_and_policies_but_changes_none() {
    let (projects, _) = Projects::with_resource(&[]).await;
    let policy = json!({"name": "minute", "definition": [{"granularity": 60}]});
    let policies = "/v1/archive_policy";
    let call = |method, path, body| projects.call("service", method, path, body);
    call("POST", policies, policy.clone()).await.is(201);
    let change = json!({"definition": [{"granularity": 60}]});
    call("PATCH", "/v1/archive_policy/minute", change)
        .await
        .is(403);
    let minute = "/v1/archive_policy/minute";
    call("DELETE", minute, Value::Null).await.is(403);
    let types = "/v1/resource_type";
    call("POST", types, json!({"name": "t"})).await.is(201);
    call("DELETE", "/v1/resource_type/t", Value::Null)
        .await
        .is(403);
}

#[tokio::test]
async fn rules_see_what_is_about_to_be_made() {
    let rules = [
        (
            "create resource",
            "user_id:%(user_id)s and 'generic':%(resource_type)s",
        ),
        (
            "create archive policy rule",
            "role:admin and not 'secret':%(name)s",
        ),
        ("create resource type", "'string':%(attributes.host.type)s"),
        (
            "create metric",
            "'r':%(original_resource_id)s or role:admin",
        ),
    ];
    let projects = Projects::new(&rules);
    let resources = "/v1/resource/generic";
    let call = |path, body| projects.call("u1", "POST", path, body);
    call(resources, json!({"id": "a", "user_id": "u1"}))
        .await
        .is(201);
    call(resources, json!({"id": "b", "user_id": "u2"}))
        .await
        .is(403);
    call(resources, json!({"id": "c"})).await.is(403);
    let typed = |kind: &str| json!({"name": kind, "attributes": {"host": {"type": kind}}});
    call("/v1/resource_type", typed("string")).await.is(201);
    call("/v1/resource_type", typed("number")).await.is(403);
    let policy = json!({"name": "second", "definition": [{"granularity": 1}]});
    let made = projects.call("admin", "POST", "/v1/archive_policy", policy);
    made.await.is(201);
    let rule = json!({"name": "secret", "metric_pattern": "*", "archive_policy_name": "second"});
    let refused = projects.call("admin", "POST", "/v1/archive_policy_rule", rule);
    refused.await.is(403);
    let metric = |resource: &str| json!({"archive_policy_name": "second", "name": "m", "resource_id": resource});
    call("/v1/metric", metric("q")).await.is(403);
}

#[tokio::test]
async fn rules_see_what_is_made_on_demand() {
    let created = format!("'{RESOURCE}':%(id)s and user:%(creator)s");
    let rules = [
        ("create resource", created.as_str()),
        (
            "create resource type",
            "'t':%(name)s and 'creating':%(state)s",
        ),
    ];
    let projects = Projects::new(&rules);
    let policy = json!({"name": "second", "definition": [{"granularity": 1}]});
    let made = projects.call("admin", "POST", "/v1/archive_policy", policy);
    made.await.is(201);
    let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
    let made = projects.call("admin", "POST", "/v1/archive_policy_rule", rule);
    made.await.is(201);
    let send = async |path: &str, lines: String| {
        let call = projects.0.call("POST", &format!("/v1/influxdb/{path}"));
        call.identity("u1", "p1", "member").body(lines).send().await
    };
    let create = async |name: &str| {
        let path = format!("query?q=create+database+{name}");
        send(&path, String::new()).await
    };
    create("other").await.is(403);
    create("t").await.is(200);
    let write = async |host: &str| send("write?db=t", format!("m,host={host} f=1")).await;
    write("web").await.is(403);
    write(RESOURCE).await.is(204);
}
