//! Resources and their metrics.

use serde_json::{Value, json};

use crate::support::App;

const ID: &str = "f93450f2-d8a5-4d67-9985-02511241e7d1";
const PATH: &str = "/v1/resource/generic/f93450f2-d8a5-4d67-9985-02511241e7d1";

async fn with_resource() -> App {
    let app = App::with_policy().await;
    let body = json!({
        "id": ID, "started_at": "2014-01-03T02:02:02.123456789", "user_id": "u", "project_id": null,
        "metrics": {"cpu": {"archive_policy_name": "second", "name": "ignored", "resource_id": "ignored"}},
    });
    app.post("/v1/resource/generic", body).await.is(201);
    app
}

#[tokio::test]
async fn the_wire_form() {
    let app = with_resource().await;
    let mut resource = app.get(PATH).await.is(200).json();
    let metric = resource["metrics"]["cpu"].as_str().unwrap().to_owned();
    assert_eq!(
        app.get(&format!("/v1/metric/{metric}"))
            .await
            .is(200)
            .json()["name"],
        "cpu"
    );
    let revision_start = resource["revision_start"].take();
    assert!(
        revision_start.as_str().unwrap().ends_with("+00:00"),
        "{revision_start}"
    );
    let expected = json!({
        "id": ID, "creator": "foobar", "started_at": "2014-01-03T02:02:02.123456+00:00", "revision_start": null,
        "revision_end": null, "ended_at": null, "user_id": "u", "project_id": null, "original_resource_id": ID, "type": "generic",
        "metrics": {"cpu": metric}, "created_by_user_id": "foobar", "created_by_project_id": "",
    });
    assert_eq!(resource, expected);
    app.get("/v1/resource/generic/f93450f2d8a54d67998502511241e7d1/")
        .await
        .is(200);
}

#[tokio::test]
async fn ids_that_are_no_uuids_belong_to_their_user() {
    let app = App::new();
    let created = app
        .post("/v1/resource/generic", json!({"id": "1.2.3.4"}))
        .await
        .is(201);
    let id = "a9c729cc-d1b0-5e6b-b5ba-8b5a7f45f1fc";
    assert_eq!(
        created.header("location"),
        format!("http://example.org/v1/resource/generic/{id}")
    );
    assert_eq!(created.json()["original_resource_id"], "1.2.3.4");
    assert_eq!(created.json()["started_at"], "2015-06-06T14:00:00+00:00");
    assert_eq!(
        app.get("/v1/resource/generic/1.2.3.4").await.is(200).json()["id"],
        id
    );
    app.get(&format!("/v1/resource/generic/{id}")).await.is(200);
    app.call("GET", "/v1/resource/generic/1.2.3.4")
        .user("foobaz")
        .send()
        .await
        .is(404);
    app.call("GET", &format!("/v1/resource/generic/{id}"))
        .user("foobaz")
        .send()
        .await
        .is(403);
    app.post("/v1/resource/generic", json!({"id": "1.2.3.4"}))
        .await
        .is(409)
        .says(&format!("Resource {id} already exists"));
    app.get("/v1/resource/generic/a%2Fb").await.is(404);
    app.get(&format!("/v1/resource/generic/{}", "x".repeat(290)))
        .await
        .is(404)
        .says("does not exist");
}

#[tokio::test]
async fn resources_that_cannot_be_created() {
    let app = App::with_policy().await;
    let check = async |body: Value, text: &str| {
        app.post("/v1/resource/generic", body)
            .await
            .is(400)
            .says(text);
    };
    check(json!({}), "required key not provided @ data['id']").await;
    check(
        json!({"id": 5}),
        "expected str for dictionary value @ data['id']",
    )
    .await;
    check(
        json!({"id": "a/b"}),
        "'/' is not supported in resource id for dictionary value @ data['id']",
    )
    .await;
    check(
        json!({"id": "x".repeat(290)}),
        "transformable resource id >289 max allowed characters for dictionary value",
    )
    .await;
    check(
        json!({"id": "a", "type": "generic"}),
        "extra keys not allowed @ data['type']",
    )
    .await;
    check(
        json!({"id": "a", "started_at": null}),
        "Unable to convert timestamps for dictionary value",
    )
    .await;
    check(
        json!({"id": "a", "started_at": "1915-01-01"}),
        "Timestamp must be after Epoch for dictionary value",
    )
    .await;
    check(
        json!({"id": "a", "user_id": "u".repeat(256)}),
        "length of value must be at most 255",
    )
    .await;
    check(
        json!({"id": "a", "started_at": "2015-01-01", "ended_at": "2014-01-01"}),
        "Start timestamp cannot be after end timestamp",
    )
    .await;
    check(
        json!({"id": "a", "metrics": {"cpu": 10}}),
        "expected a dictionary for dictionary value @ data['metrics']['cpu']",
    )
    .await;
    check(
        json!({"id": "a", "metrics": {"cpu": "x"}}),
        "badly formed hexadecimal UUID string",
    )
    .await;
    check(
        json!({"id": "a", "metrics": {"cpu": {"archive_policy_name": "none"}}}),
        "Archive policy none does not exist",
    )
    .await;
    check(
        json!({"id": "a", "metrics": {"disk/iops": {"unit": "u".repeat(32)}}}),
        "length of value must be at most 31 for dictionary value @ data['metrics']['disk/iops']['unit']",
    )
    .await;
    check(
        json!({"id": "a", "metrics": {"cpu": ID}}),
        &format!("Metric {ID} does not exist"),
    )
    .await;
    app.post("/v1/resource/none", json!({"id": "a"}))
        .await
        .is(404)
        .says("Resource type none does not exist");
    assert_eq!(app.get("/v1/resource/generic").await.json(), json!([]));
}

#[tokio::test]
async fn a_slash_in_the_name_of_a_metric_is_refused_in_one_sentence() {
    let app = with_resource().await;
    let new = json!({"disk/iops": {"archive_policy_name": "second"}});
    let existing = json!({"disk/iops": ID});
    let policy_missing = json!({"disk/iops": {"archive_policy_name": "none"}});
    for metrics in [new, existing, policy_missing] {
        for (method, path, body) in [
            (
                "POST",
                "/v1/resource/generic",
                json!({"id": "b", "metrics": metrics}),
            ),
            ("PATCH", PATH, json!({"metrics": metrics})),
            ("POST", &format!("{PATH}/metric"), metrics.clone()),
        ] {
            let call = app.call(method, path).user("foobar").wants_json();
            let description = call.json(&body).await.is(400).description();
            let expected = "'/' is not supported in metric name";
            assert_eq!(description, expected, "{method} {path}");
        }
    }
    // It counts for more than a missing id.
    let without_id = json!({"metrics": {"disk/iops": {"archive_policy_name": "second"}}});
    let call = app.call("POST", "/v1/resource/generic").user("foobar");
    call.wants_json()
        .json(&without_id)
        .await
        .is(400)
        .says("'/' is not supported in metric name");
}

#[tokio::test]
async fn a_change_makes_a_revision() {
    let app = with_resource().await;
    let first = app
        .patch(PATH, json!({"user_id": "v"}))
        .await
        .is(200)
        .json();
    assert_eq!(first["user_id"], "v");
    assert_eq!(
        app.patch(PATH, json!({"user_id": "v"}))
            .await
            .is(200)
            .json(),
        first
    );
    assert_eq!(app.patch(PATH, json!({})).await.is(200).json(), first);
    app.patch(PATH, json!({"ended_at": "2014-06-01"}))
        .await
        .is(200);
    app.patch(PATH, json!({"ended_at": null})).await.is(200);
    let history = app
        .get(&format!("{PATH}/history?sort=revision_end:asc-nullslast"))
        .await
        .is(200)
        .json();
    let ends: Vec<&Value> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|revision| &revision["ended_at"])
        .collect();
    assert_eq!(
        ends,
        [
            &json!(null),
            &json!(null),
            &json!("2014-06-01T00:00:00+00:00"),
            &json!(null)
        ]
    );
    assert_eq!(history[0]["user_id"], "u");
    assert_eq!(history[3]["revision_end"], json!(null));
    app.call("POST", &format!("{PATH}/history"))
        .user("foobar")
        .send()
        .await
        .is(405);

    let page = app
        .get(&format!(
            "{PATH}/history?sort=revision_end:asc-nullslast&limit=1"
        ))
        .await
        .is(200);
    let link = format!(
        "<http://example.org{PATH}/history?limit=1&marker={ID}%401&sort=revision_end%3Aasc-nullslast>; rel=\"next\""
    );
    assert_eq!(page.header("link"), link);
    let all = app
        .get("/v1/resource/generic?history=true")
        .await
        .is(200)
        .json();
    assert_eq!(all.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn changes_that_are_refused() {
    let app = with_resource().await;
    app.patch(PATH, json!({"id": "x"}))
        .await
        .is(400)
        .says("extra keys not allowed @ data['id']");
    app.patch(PATH, json!(["Beer and pickles"]))
        .await
        .is(400)
        .says("expected a dictionary");
    app.call("PATCH", PATH)
        .user("foobar")
        .raw_json("")
        .await
        .is(400)
        .says("Expected object or value");
    app.call("PATCH", PATH)
        .user("foobar")
        .body("{}")
        .send()
        .await
        .is(415)
        .says("no Content-Type header; its body must be announced as application/json");
    let text = "Value 2000-01-01 00:00:00+00:00 for attribute ended_at on resource type generic is invalid";
    app.patch(PATH, json!({"ended_at": "2000-01-01"}))
        .await
        .is(400)
        .says(text);
    app.call("PATCH", PATH)
        .user("foobaz")
        .json(&json!({}))
        .await
        .is(403);
    app.patch("/v1/resource/generic/none", json!({}))
        .await
        .is(404);
    app.patch("/v1/resource/none/x", json!({}))
        .await
        .is(404)
        .says("Resource type none does not exist");
}

#[tokio::test]
async fn metrics_in_a_change_replace_those_before() {
    let app = with_resource().await;
    let cpu = app.get(PATH).await.json()["metrics"]["cpu"]
        .as_str()
        .unwrap()
        .to_owned();
    let changed = app
        .patch(
            PATH,
            json!({"metrics": {"load": cpu, "disk": {"archive_policy_name": "second"}}}),
        )
        .await
        .is(200);
    let metrics = changed.json()["metrics"].as_object().unwrap().clone();
    assert_eq!(metrics.keys().collect::<Vec<_>>(), ["disk", "load"]);
    assert_eq!(metrics["load"], json!(cpu));
    assert_eq!(
        app.get(&format!("{PATH}/history"))
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        app.patch(PATH, json!({"metrics": {}})).await.is(200).json()["metrics"],
        json!({})
    );
    assert_eq!(
        app.get(&format!("/v1/metric/{cpu}")).await.is(200).json()["resource"],
        json!(null)
    );
}

#[tokio::test]
async fn metrics_below_a_resource() {
    let app = with_resource().await;
    let path = format!("{PATH}/metric");
    let listed = app
        .post(
            &path,
            json!({"disk": {"archive_policy_name": "second", "unit": "B"}}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["resource_id"], ID);
    // What was added comes first.
    assert_eq!(listed[0]["name"], "disk");
    let all = app.get(&path).await.is(200).json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(app.post(&path, json!({})).await.is(200).json(), all);
    app.post(&path, json!({"cpu": {"archive_policy_name": "second"}}))
        .await
        .is(409)
        .says("Named metric cpu already exists");
    app.post(&path, json!({"x": {"archive_policy_name": "none"}}))
        .await
        .is(400)
        .says("Archive policy none does not exist");
    app.post(&path, json!({"x": {}}))
        .await
        .is(400)
        .says("no archive policy rule found matching the metric name x");
    app.call("POST", &path)
        .user("foobaz")
        .json(&json!({}))
        .await
        .is(403);

    let cpu = format!("{path}/cpu");
    assert_eq!(
        app.get(&cpu).await.is(200).json()["archive_policy"]["name"],
        "second"
    );
    app.call("POST", &cpu).user("foobar").send().await.is(405);
    app.post(
        &format!("{cpu}/measures"),
        json!([{"timestamp": 1, "value": 2}]),
    )
    .await
    .is(202);
    assert_eq!(
        app.get(&format!("{cpu}/measures")).await.is(200).json(),
        json!([["1970-01-01T00:00:01+00:00", 1.0, 2.0]])
    );
    app.get(&format!("{path}/none"))
        .await
        .is(404)
        .says("Metric none does not exist");
    app.post(&format!("{path}/none/measures"), json!([]))
        .await
        .is(404)
        .says("Metric none does not exist");
    app.get("/v1/resource/generic/none/metric")
        .await
        .is(404)
        .says("Resource ");
    app.delete(&cpu).await.is(204);
    app.get(&cpu).await.is(404);
}

#[tokio::test]
async fn a_deleted_resource_takes_its_metrics_along() {
    let app = with_resource().await;
    let metric = app.get(PATH).await.json()["metrics"]["cpu"]
        .as_str()
        .unwrap()
        .to_owned();
    app.call("DELETE", PATH).user("foobaz").send().await.is(403);
    app.delete(PATH).await.is(204);
    app.delete(PATH)
        .await
        .is(404)
        .says(&format!("Resource {ID} does not exist"));
    app.get(&format!("/v1/metric/{metric}")).await.is(404);
    app.get(&format!("{PATH}/history")).await.is(404);
}

#[tokio::test]
async fn listings_show_what_is_wanted() {
    let app = with_resource().await;
    app.post("/v1/resource/generic", json!({"id": "web"}))
        .await
        .is(201);
    let keys = async |query: &str| {
        let listed = app
            .get(&format!("/v1/resource/generic?{query}"))
            .await
            .is(200)
            .json();
        listed[0]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys("").await.len(), 13);
    assert_eq!(
        keys("attrs=id&attrs=user_id&attrs=none").await,
        ["id", "user_id"]
    );
    assert_eq!(
        app.get("/v1/resource").await.is(200).json(),
        json!({"generic": "http://example.org/v1/resource/generic"})
    );
    app.get("/v1/resource/none")
        .await
        .is(404)
        .says("Resource type none does not exist");
    app.get("/v1/resource/generic?details=awesome")
        .await
        .is(400)
        .says("Unable to parse `details'");
    app.call("GET", "/v1/resource/generic").send().await.is(401);
}
