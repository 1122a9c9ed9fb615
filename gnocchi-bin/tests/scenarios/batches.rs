//! Measures of many metrics in one request.

use serde_json::{Value, json};

use crate::rights::{Mode, Story};
use crate::support::App;

const BY_METRIC: &str = "/v1/batch/metrics/measures";
const BY_RESOURCE: &str = "/v1/batch/resources/metrics/measures";

fn one(value: f64) -> Value {
    json!([{"timestamp": "2015-03-06T14:33:57", "value": value}])
}

async fn count(app: &App, metric_path: &str) -> usize {
    app.get(&format!("{metric_path}/measures"))
        .await
        .is(200)
        .json()
        .as_array()
        .unwrap()
        .len()
}

#[tokio::test]
async fn by_id_of_the_metric() {
    let app = App::with_policy().await;
    let (a, b) = (app.create_metric().await, app.create_metric().await);
    let answer = app
        .post(
            BY_METRIC,
            json!({a.clone(): one(1.0), b.to_uppercase(): one(2.0)}),
        )
        .await
        .is(202);
    assert_eq!(answer.header("content-length"), "0");
    assert_eq!(count(&app, &format!("/v1/metric/{a}")).await, 1);
    assert_eq!(count(&app, &format!("/v1/metric/{b}")).await, 1);
    app.post(BY_METRIC, json!({})).await.is(202);
    app.post(BY_METRIC, json!({a: []})).await.is(202);
}

#[tokio::test]
async fn the_number_of_metrics_is_limited() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let lists = vec![format!("\"{metric}\": []"); 501].join(",");
    let text = "more metrics than the limit of 500";
    for (path, body) in [
        (BY_METRIC, format!("{{{lists}}}")),
        (BY_RESOURCE, format!("{{\"res\": {{{lists}}}}}")),
    ] {
        let call = app.call("POST", path).user("foobar");
        call.raw_json(body).await.is(413).says(text);
    }
}

#[tokio::test]
async fn one_unknown_metric_stops_the_batch() {
    let app = App::with_policy().await;
    let known = app.create_metric().await;
    let (x, y) = (
        "37AEC8B7-C0D9-445B-8AB9-D3C6312DCF5D",
        "37AEC8B7-C0D9-445B-8AB9-D3C6312DCF5C",
    );
    let text = "Unknown metrics: 37aec8b7-c0d9-445b-8ab9-d3c6312dcf5c, 37aec8b7-c0d9-445b-8ab9-d3c6312dcf5d";
    app.post(
        BY_METRIC,
        json!({x: one(1.0), y: one(1.0), known.clone(): one(1.0)}),
    )
    .await
    .is(400)
    .says(text);
    app.post(BY_METRIC, json!({"zz": one(1.0), known.clone(): one(1.0)}))
        .await
        .is(400)
        .says("not a valid value @ data['zz']");
    app.post(BY_METRIC, json!({known.clone(): [1]}))
        .await
        .is(400)
        .says("unexpected measures format for dictionary value @ data[");
    assert_eq!(count(&app, &format!("/v1/metric/{known}")).await, 0);
}

#[tokio::test]
async fn a_metric_that_stands_twice_keeps_both_lists() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let body = format!(
        r#"{{"{metric}": [{{"timestamp": 1, "value": 1}}], "{metric}": [{{"timestamp": 2, "value": 2}}]}}"#
    );
    app.call("POST", BY_METRIC)
        .user("foobar")
        .raw_json(body)
        .await
        .is(202);
    assert_eq!(count(&app, &format!("/v1/metric/{metric}")).await, 2);
}

#[tokio::test]
async fn by_resource_and_name() {
    let app = App::with_policy().await;
    let metrics = json!({"cpu": {"archive_policy_name": "second"}});
    app.post(
        "/v1/resource/generic",
        json!({"id": "web", "metrics": metrics}),
    )
    .await
    .is(201);
    app.post(BY_RESOURCE, json!({"web": {"cpu": one(1.0)}, "db": {}}))
        .await
        .is(202);
    assert_eq!(count(&app, "/v1/resource/generic/web/metric/cpu").await, 1);
    let unknown = json!({"web": {"cpu": one(1.0), "disk": one(1.0)}, "db": {"cpu": one(1.0)}});
    let answer = app.post(BY_RESOURCE, unknown).await.is(400);
    let text = answer.text();
    let names: Vec<&str> = text
        .split("Unknown metrics: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .split(", ")
        .collect();
    assert_eq!(names.len(), 2);
    assert!(
        names[0] < names[1] && names.iter().any(|name| name.ends_with("/disk")),
        "{names:?}"
    );
    app.post(BY_RESOURCE, json!({"a/b": {}}))
        .await
        .is(400)
        .says("'/' is not supported in resource id @ data['a/b']");
    // Another user means another resource by the same name.
    app.call("POST", BY_RESOURCE)
        .user("foobaz")
        .json(&json!({"web": {"cpu": one(1.0)}}))
        .await
        .is(400);
}

#[tokio::test]
async fn different_spellings_of_one_resource_are_put_together() {
    let app = App::with_policy().await;
    let metrics = json!({"cpu": {"archive_policy_name": "second"}});
    let created = app
        .post(
            "/v1/resource/generic",
            json!({"id": "web", "metrics": metrics}),
        )
        .await
        .is(201)
        .json();
    let id = created["id"].as_str().unwrap();
    let at = |second: i64| json!({"cpu": [{"timestamp": second, "value": 1}]});
    app.post(
        BY_RESOURCE,
        json!({"web": at(1), id: at(2), id.to_uppercase(): at(3)}),
    )
    .await
    .is(202);
    assert_eq!(count(&app, "/v1/resource/generic/web/metric/cpu").await, 3);
}

#[tokio::test]
async fn missing_metrics_are_created_when_wanted() {
    let app = App::with_policy().await;
    let rule = json!({"name": "auto", "metric_pattern": "auto.*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    app.post("/v1/resource/generic", json!({"id": "web"}))
        .await
        .is(201);
    let path = format!("{BY_RESOURCE}?create_metrics=true");
    let body = json!({"web": {
        "auto.a": one(1.0),
        "auto.b": {"measures": one(1.0)},
        "given": {"measures": one(1.0), "archive_policy_name": "second", "unit": "ks"},
    }});
    app.post(&path, body.clone()).await.is(202);
    for name in ["auto.a", "auto.b", "given"] {
        assert_eq!(
            count(&app, &format!("/v1/resource/generic/web/metric/{name}")).await,
            1,
            "{name}"
        );
    }
    let given = app
        .get("/v1/resource/generic/web/metric/given")
        .await
        .is(200)
        .json();
    assert_eq!(
        (&given["unit"], &given["creator"]),
        (&json!("ks"), &json!("foobar"))
    );
    // The second time they are there.
    app.post(&path, body).await.is(202);

    let check = async |metrics: Value, text: &str| {
        app.post(&path, json!({"web": metrics}))
            .await
            .is(400)
            .says(text);
    };
    let no_rule = "No archive policy name specified and no archive policy rule found matching the metric name x";
    check(json!({"x": one(1.0)}), no_rule).await;
    check(
        json!({"a/b": one(1.0)}),
        "'/' is not supported in metric name",
    )
    .await;
    check(
        json!({"x": {"measures": one(1.0), "archive_policy_name": "zz"}}),
        "Archive policy zz does not exist",
    )
    .await;
    check(json!({"x": {"measures": one(1.0), "archive_policy_name": "second", "unit": "u".repeat(32)}}), "unit").await;
    check(
        json!({"x": {"measures": one(1.0), "other": 1}}),
        "extra keys not allowed",
    )
    .await;
    app.post(&format!("{BY_RESOURCE}?create_metrics=awesome"), json!({}))
        .await
        .is(400)
        .says("Unable to parse `create_metrics'");
}

#[tokio::test]
async fn metrics_are_not_created_on_resources_that_do_not_exist() {
    let app = App::with_policy().await;
    let path = format!("{BY_RESOURCE}?create_metrics=true");
    let body = json!({"foobar": {"a": one(1.0), "b": one(1.0)}});
    let answer = app
        .call("POST", &path)
        .user("foobar")
        .wants_json()
        .json(&body)
        .await
        .is(400);
    let expected = json!({
        "cause": "Unknown resources",
        "detail": [{"resource_id": "2fbfbb20-8d56-5e1e-afb9-b3007da11fdf", "original_resource_id": "foobar"}],
    });
    assert_eq!(answer.description(), expected);
}

#[tokio::test]
async fn a_batch_does_not_tell_which_metrics_a_foreign_resource_has() {
    let story = Story::new(Mode::Projects).await;
    let id = "f93450f2-d8a5-4d67-9985-02511241e7d1";
    let other = "2d4b9a0e-6a53-4f0e-a1f2-7d5be0c3c001";
    story.resource("victim", id, json!({})).await;
    let path = "/v1/batch/resources/metrics/measures";
    let answers = async |name: &str| {
        let mut answers = Vec::new();
        for batch in [
            json!({id: {name: []}}),
            json!({id: {name: []}, other: {"a": []}}),
            json!({id: {name: []}, "no": {"a": []}}),
            json!({id: {name: [], "none": []}}),
            json!({id: {name: [{"timestamp": 1, "value": 1}]}, "no": {"a": []}}),
        ] {
            for create in ["", "?create_metrics=true"] {
                let path = format!("{path}{create}");
                let answer = story.post("mallory", &path, batch.clone()).await;
                answers.push((answer.status, answer.text()));
            }
        }
        answers
    };
    let existing = answers("cpu").await;
    assert_eq!(existing, answers("gpu").await);
    assert_eq!(existing[0].0, 403);
}
