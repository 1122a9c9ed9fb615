//! The deprecated calls: one aggregate across metrics.

use serde_json::{Value, json};

use crate::support::{Answer, App};

const ID: &str = "1ed9c196-4c9f-4ba8-a5be-c9a71a82aac4";
const OTHER_ID: &str = "2447cd7e-48a6-4c50-a991-6677cc0d00e6";
const UNKNOWN: &str = "8c062a7e-9f9f-4b1c-9996-9d0328512ab7";

/// A store with two resources, each with one metric whose points overlap for the most part.
struct Story {
    app: App,
    ids: [String; 2],
}

impl Story {
    async fn new() -> Self {
        let app = App::new();
        let definition = json!([{"granularity": "1 second"}, {"granularity": "60 seconds"}]);
        let policy = json!({"name": "policy", "back_window": 100, "definition": definition});
        app.admin("POST", "/v1/archive_policy", policy)
            .await
            .is(201);
        let mut ids = Vec::new();
        for (id, project, values) in [
            (ID, "shop", [(0, 0.0), (1, 1.0), (65, 65.0)]),
            (OTHER_ID, "bank", [(1, 3.0), (2, 4.0), (65, 67.0)]),
        ] {
            let resource = json!({"id": id, "project_id": project, "metrics": {"cpu": {"archive_policy_name": "policy"}}});
            let created = app
                .post("/v1/resource/generic", resource)
                .await
                .is(201)
                .json();
            let metric = created["metrics"]["cpu"].as_str().unwrap().to_owned();
            let measures: Vec<Value> = values
                .iter()
                .map(|(second, value)| json!({"timestamp": 1_425_650_400 + second, "value": value}))
                .collect();
            app.post(&format!("/v1/metric/{metric}/measures"), json!(measures))
                .await
                .is(202);
            ids.push(metric);
        }
        let ids = ids.try_into().unwrap();
        Self { app, ids }
    }

    async fn both(&self, parameters: &str) -> Answer {
        let [one, other] = &self.ids;
        self.read(&format!("metric={one}&metric={other}&{parameters}"))
            .await
    }

    async fn read(&self, parameters: &str) -> Answer {
        let path = format!("/v1/aggregation/metric?{parameters}");
        self.app
            .call("GET", &path)
            .user("foobar")
            .wants_json()
            .send()
            .await
    }

    async fn of_resources(&self, parameters: &str, body: Value) -> Answer {
        let path = format!("/v1/aggregation/resource/generic/metric/cpu?{parameters}");
        self.app
            .call("POST", &path)
            .user("foobar")
            .wants_json()
            .json(&body)
            .await
    }

    fn lacks(&self, method: &str, granularity: &str) -> Value {
        let first = &self.ids[0];
        json!(format!(
            "Aggregation method '{method}' at granularity '{granularity}' for metric {first} does not exist"
        ))
    }
}

fn seconds(rows: &[(u32, f64)]) -> Value {
    let stamp = |second| format!("2015-03-06T14:{:02}:{:02}+00:00", second / 60, second % 60);
    rows.iter()
        .map(|(second, value)| json!([stamp(second), 1.0, value]))
        .collect()
}

#[tokio::test]
async fn metrics_are_aggregated() {
    let story = Story::new().await;
    let overlapping = seconds(&[(1, 2.0), (65, 66.0)]);
    let loose = story
        .both("granularity=1&needed_overlap=50")
        .await
        .is(200)
        .json();
    assert_eq!(loose, seconds(&[(1, 2.0), (2, 4.0), (65, 66.0)]));
    let strict = story.both("granularity=1").await.is(400).description();
    assert_eq!(
        strict["reason"],
        json!("Less than 100.000000% of datapoints overlap in this timespan (66.67%)")
    );
    let filled = story
        .both("granularity=1&fill=0&reaggregation=max")
        .await
        .is(200)
        .json();
    assert_eq!(filled, seconds(&[(0, 0.0), (1, 3.0), (2, 4.0), (65, 67.0)]));
    let minutes = json!([
        ["2015-03-06T14:00:00+00:00", 60.0, 2.0],
        ["2015-03-06T14:01:00+00:00", 60.0, 66.0]
    ]);
    assert_eq!(
        story
            .both("granularity=60&refresh=true")
            .await
            .is(200)
            .json(),
        minutes
    );
    assert_eq!(
        story
            .both("granularity=1&start=2015-03-06T14:00:01&stop=2015-03-06T14:00:02&resample=60")
            .await
            .is(200)
            .json(),
        json!([minutes[0]])
    );
    let month = story
        .both("granularity=60&resample=M&timezone=Europe/Paris")
        .await
        .is(200)
        .json();
    assert_eq!(month, json!([["2015-02-28T23:00:00+00:00", "M", 34.0]]));
    let body = json!(story.ids);
    let path =
        "/v1/aggregation/metric?granularity=1&start=2015-03-06T14:00:01&stop=2015-03-06T14:00:02";
    assert_eq!(
        story.app.post(path, body).await.is(200).json(),
        seconds(&[(1, 2.0)])
    );
    assert_eq!(overlapping[0], seconds(&[(1, 2.0)])[0]);
    assert_eq!(story.read("").await.is(200).json(), json!([]));
    assert_eq!(
        story
            .app
            .post("/v1/aggregation/metric", json!([]))
            .await
            .is(200)
            .json(),
        json!([])
    );
}

#[tokio::test]
async fn what_is_missing_comes_before_what_is_wrong_and_what_is_forbidden() {
    let story = Story::new().await;
    let [one, other] = &story.ids;
    let check = async |parameters: String, status: u16| {
        let path = format!("/v1/aggregation/metric?{parameters}");
        let stranger = story.app.call("GET", &path).user("stranger");
        let answer = stranger.send().await;
        assert_eq!(answer.status.as_u16(), status, "{parameters}");
    };
    // Whatever the order of the ids.
    for unknown in [
        "00000000-0000-4000-8000-000000000bad",
        "ffffffff-ffff-4fff-8fff-ffffffffffff",
    ] {
        check(format!("metric={one}&metric={unknown}&start=foo"), 404).await;
        check(format!("metric={unknown}&metric={one}"), 404).await;
    }
    check(format!("metric={one}&metric={other}&start=foo"), 400).await;
    check(format!("metric={one}&metric={other}"), 403).await;
    // Parameters without a value name nothing.
    check("metric=&groupby=".to_owned(), 200).await;
    let path = format!("metric=&metric={one}&granularity=60&resample=");
    assert_eq!(
        story.read(&path).await.is(200).json(),
        json!([
            ["2015-03-06T14:00:00+00:00", 60.0, 0.5],
            ["2015-03-06T14:01:00+00:00", 60.0, 65.0]
        ])
    );
}

#[tokio::test]
async fn one_metric_comes_as_it_is() {
    let story = Story::new().await;
    let one = &story.ids[0];
    let own = story
        .read(&format!(
            "metric={one}&metric={one}&granularity=1&reaggregation=wtf"
        ))
        .await;
    assert_eq!(
        own.is(200).json(),
        seconds(&[(0, 0.0), (1, 1.0), (65, 65.0)])
    );
    let unknown = story
        .read(&format!("metric={one}&aggregation=wtf"))
        .await
        .is(404)
        .description();
    assert_eq!(
        unknown,
        json!({
            "cause": "Aggregation method does not exist for this metric",
            "detail": {"metric": one, "aggregation_method": "wtf"},
        })
    );
    let missing = story
        .read(&format!("metric={one}&granularity=42"))
        .await
        .is(404);
    missing.says("Aggregation method 'mean' at granularity '42.0' for metric");
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let story = Story::new().await;
    assert_eq!(
        story.both("aggregation=wtf").await.is(404).description(),
        story.lacks("wtf", "1.0")
    );
    assert_eq!(
        story.both("granularity=7").await.is(404).description(),
        story.lacks("mean", "7.0")
    );
    story
        .both("reaggregation=last")
        .await
        .is(400)
        .says("Invalid reaggregation");
    story
        .both("resample=60")
        .await
        .is(400)
        .says("A granularity must be specified to resample");
    story
        .both("resample=abc&granularity=1")
        .await
        .is(400)
        .says("Unable to parse timespan");
    story
        .both("resample=M&granularity=1&timezone=Mars")
        .await
        .is(400)
        .says("Mars");
    for (name, reason) in [
        ("start", "Must be a datetime"),
        ("granularity", "Unable to parse"),
        ("fill", "Must be a float"),
        ("needed_overlap", "Must be a number"),
    ] {
        let refused = story
            .both(&format!("{name}=foobar"))
            .await
            .is(400)
            .says(reason);
        assert_eq!(refused.description()["detail"], json!(name));
    }
    let id = &story.ids[0];
    story
        .read(&format!("metric={id}&metric=foo"))
        .await
        .is(400)
        .says("Invalid input: not a valid value @ data[1]");
    story
        .read(&format!("metric={UNKNOWN}"))
        .await
        .is(404)
        .says(&format!("Metric {UNKNOWN} does not exist"));
    let refused = async |body: Value| story.app.post("/v1/aggregation/metric", body).await.is(400);
    refused(json!({})).await.says("expected a list");
    refused(json!(["foo"]))
        .await
        .says("not a valid value @ data[0]");
    let path = format!("/v1/aggregation/metric?metric={id}");
    story
        .app
        .call("GET", &path)
        .user("other")
        .send()
        .await
        .is(403);
}

#[tokio::test]
async fn a_metric_of_resources_is_aggregated() {
    let story = Story::new().await;
    let both = story
        .of_resources("granularity=60", json!({}))
        .await
        .is(200)
        .json();
    assert_eq!(both[1], json!(["2015-03-06T14:01:00+00:00", 60.0, 66.0]));
    let filter = json!({"=": {"project_id": "shop"}});
    let one = story
        .of_resources("granularity=1", filter)
        .await
        .is(200)
        .json();
    assert_eq!(one, seconds(&[(0, 0.0), (1, 1.0), (65, 65.0)]));
    let path =
        "/v1/aggregation/resource/generic/metric/cpu?granularity=1&filter=project_id%3D'bank'";
    let by_text = story
        .app
        .call("POST", path)
        .user("foobar")
        .send()
        .await
        .is(200)
        .json();
    assert_eq!(by_text, seconds(&[(1, 3.0), (2, 4.0), (65, 67.0)]));
    let groups = story
        .of_resources("granularity=60&groupby=project_id", json!({}))
        .await
        .is(200)
        .json();
    let row = |stamp: &str, value: f64| json!([stamp, 60.0, value]);
    let (first, second) = ("2015-03-06T14:00:00+00:00", "2015-03-06T14:01:00+00:00");
    assert_eq!(
        groups,
        json!([
            {"group": {"project_id": "bank"}, "measures": [row(first, 3.5), row(second, 67.0)]},
            {"group": {"project_id": "shop"}, "measures": [row(first, 0.5), row(second, 65.0)]},
        ])
    );
    story
        .of_resources("groupby=foo", json!({}))
        .await
        .is(400)
        .says("Invalid groupby attribute");
    story
        .of_resources("", json!({"=": {"foo": 1}}))
        .await
        .is(400)
        .says("has no foo attribute");
    // Names are no patterns here, and a group without the metric has no rows.
    let none = async |path: &str, expected: Value| {
        assert_eq!(
            story.app.post(path, json!({})).await.is(200).json(),
            expected
        );
    };
    none("/v1/aggregation/resource/generic/metric/c*", json!([])).await;
    none(
        "/v1/aggregation/resource/generic/metric/nope?groupby=user_id",
        json!([{"group": {"user_id": null}, "measures": []}]),
    )
    .await;
}

#[tokio::test]
async fn addresses() {
    let app = App::new();
    let check = async |method: &str, path: &str, status: u16| {
        let call = app.call(method, path).user("foobar").wants_json();
        call.json(&json!({})).await.is(status)
    };
    check("POST", "/v1/aggregation/resource/nope/metric/cpu", 404)
        .await
        .says("Resource type nope does not exist");
    check("POST", "/v1/aggregation/resource/generic/metric/cpu", 200).await;
    check("GET", "/v1/aggregation/resource/generic/metric/cpu", 405).await;
    check("POST", "/v1/aggregation/resource/generic/metric", 405).await;
    check("POST", "/v1/aggregation/re/generic/metric/cpu", 404).await;
    check("POST", "/v1/aggregation/resource/generic/nope/cpu", 404).await;
    check("GET", "/v1/search/metric", 405).await;
}
