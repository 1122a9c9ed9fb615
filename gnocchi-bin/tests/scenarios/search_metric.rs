//! Searching points by their values.

use serde_json::{Value, json};

use crate::support::{Answer, App};

/// A store with a metric that has points, and one that has none.
struct Story {
    app: App,
    id: String,
    empty: String,
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
        for _ in 0..2 {
            let metric = json!({"archive_policy_name": "policy"});
            let created = app.post("/v1/metric", metric).await.is(201).json();
            ids.push(created["id"].as_str().unwrap().to_owned());
        }
        let measures: Vec<Value> = [(0, 0.0), (1, 1.0), (2, 2.0), (65, 65.0)]
            .iter()
            .map(|(second, value)| json!({"timestamp": 1_425_650_400 + second, "value": value}))
            .collect();
        app.post(&format!("/v1/metric/{}/measures", ids[0]), json!(measures))
            .await
            .is(202);
        let (empty, id) = (ids.pop().unwrap(), ids.pop().unwrap());
        Self { app, id, empty }
    }

    async fn search(&self, parameters: &str, predicate: Value) -> Answer {
        let path = format!("/v1/search/metric?metric_id={}&{parameters}", self.id);
        let call = self.app.call("POST", &path).user("foobar").wants_json();
        call.json(&predicate).await
    }

    /// Checks the granularities and values of the points that are found.
    async fn check(&self, parameters: &str, predicate: Value, expected: &[(f64, f64)]) {
        let found = self.search(parameters, predicate).await.is(200).json();
        let found: Vec<(f64, f64)> = found[&self.id]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row[1].as_f64().unwrap(), row[2].as_f64().unwrap()))
            .collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn points_are_found() {
    let story = Story::new().await;
    story
        .check("", json!({"=": 1}), &[(60.0, 1.0), (1.0, 1.0)])
        .await;
    story
        .check("", json!({"=": [{"%": 2}, 0]}), &[(1.0, 0.0), (1.0, 2.0)])
        .await;
    story.check("", json!({"or": []}), &[]).await;
    story
        .check(
            "granularity=1&granularity=60",
            json!({"∧": [{"≥": 2}, {"<": 65.5}]}),
            &[(60.0, 65.0), (1.0, 2.0), (1.0, 65.0)],
        )
        .await;
    let part = "granularity=1&start=2015-03-06T14:00:01&stop=2015-03-06T14:00:02";
    story.check(part, json!({"and": []}), &[(1.0, 1.0)]).await;
    story
        .check(
            "granularity=60&aggregation=max",
            json!({"=": 2}),
            &[(60.0, 2.0)],
        )
        .await;
    let unknown = "8c062a7e-9f9f-4b1c-9996-9d0328512ab7";
    let several = format!(
        "metric_id={}&metric_id={unknown}&metric_id={}",
        story.empty, story.id
    );
    let found = story.search(&several, json!({"=": 2})).await.is(200).json();
    assert_eq!(found.as_object().unwrap().len(), 2);
    assert_eq!(found[&story.empty], json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let story = Story::new().await;
    let says = async |parameters: &str, predicate: Value, expected: Value| {
        let refused = story.search(parameters, predicate).await.is(400);
        assert_eq!(refused.description(), expected);
    };
    says(
        "start=foobar",
        json!({"=": 1}),
        json!("Invalid value for start"),
    )
    .await;
    says(
        "stop=foobar",
        json!({"=": 1}),
        json!("Invalid value for stop"),
    )
    .await;
    says(
        "",
        json!({"not": [{"=": 1}]}),
        json!("Unknown operator not"),
    )
    .await;
    let missing = json!({"granularity": 300.0, "aggregation_method": "mean"});
    let missing = json!({"cause": "Aggregation does not exist", "detail": missing});
    says("granularity=1&granularity=300", json!({"=": 1}), missing).await;
    says("granularity=zz", json!({"=": 1}), json!({"cause": "Argument value error", "detail": "granularity", "reason": "Unable to parse timespan"})).await;
    let unknown = story
        .search("aggregation=wtf", json!({"=": 1}))
        .await
        .is(400)
        .description();
    assert_eq!(unknown["cause"], json!("Metric does not exist"));
    assert_eq!(unknown["detail"]["metric"]["id"], json!(story.id));
    // The form of the body, the times, and only then that there is no negation.
    for parameter in ["start", "stop"] {
        let text = format!("Invalid value for {parameter}");
        let parameters = format!("{parameter}=foobar");
        says(&parameters, json!({"not": [{"=": 1}]}), json!(text)).await;
    }
    // What is wrong with the body comes before what is wrong with the times.
    let schema = json!({"cause": "Invalid input", "reason": "not a valid value @ data['foo']", "detail": ["foo"]});
    says("start=foobar", json!({"foo": 1}), schema).await;
    let path = format!("/v1/search/metric?metric_id={}", story.id);
    let empty = story.app.call("POST", &path).user("foobar").send().await;
    empty.is(400).says("No query specified in body");
    story
        .app
        .call("POST", &path)
        .user("other")
        .json(&json!({"=": 1}))
        .await
        .is(403);
    for path in ["/v1/search/metric", "/v1/search/metric?metric_id=foo"] {
        story.app.post(path, json!({"=": 1})).await.is(400);
    }
}
