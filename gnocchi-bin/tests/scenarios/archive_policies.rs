//! Archive policies and the rules that choose them.

use serde_json::{Value, json};

use crate::support::App;

fn hourly(name: &str) -> Value {
    json!({"name": name, "definition": [{"granularity": "1 hour", "points": 24}]})
}

#[tokio::test]
async fn the_life_of_an_archive_policy() {
    let app = App::new();
    assert_eq!(app.get("/v1/archive_policy").await.is(200).text(), "[]");
    let created = app
        .admin("POST", "/v1/archive_policy", hourly("☃/x"))
        .await
        .is(201);
    assert_eq!(
        created.header("location"),
        "http://example.org/v1/archive_policy/%E2%98%83/x"
    );
    assert_eq!(created.header("content-type"), "application/json");
    assert!(
        created.text().contains(r#""name": "\u2603/x""#),
        "{}",
        created.text()
    );

    app.admin("POST", "/v1/archive_policy", hourly("day"))
        .await
        .is(201);
    app.admin("POST", "/v1/archive_policy", hourly("day"))
        .await
        .is(409)
        .says("Archive policy day already exists");
    let expected = json!({
        "name": "day",
        "back_window": 0,
        "definition": [{"granularity": "1:00:00", "points": 24, "timespan": "1 day, 0:00:00"}],
        "aggregation_methods": ["mean", "min", "max", "sum", "std", "count"],
    });
    assert_eq!(
        app.get("/v1/archive_policy/day").await.is(200).json(),
        expected
    );
    assert_eq!(
        app.get("/v1/archive_policy/day/").await.is(200).json(),
        expected
    );

    let change = json!({"definition": [{"granularity": 3600, "points": 48}], "back_window": "2"});
    let changed = app
        .admin("PATCH", "/v1/archive_policy/day", change)
        .await
        .is(200)
        .json();
    assert_eq!(changed["definition"][0]["timespan"], "2 days, 0:00:00");
    assert_eq!(changed["back_window"], 2);

    app.admin("DELETE", "/v1/archive_policy/day", Value::Null)
        .await
        .is(204);
    app.get("/v1/archive_policy/day")
        .await
        .is(404)
        .says("Archive policy day does not exist");
    app.admin("DELETE", "/v1/archive_policy/day", Value::Null)
        .await
        .is(404);
}

#[tokio::test]
async fn only_administrators_make_and_change_archive_policies() {
    let app = App::with_policy().await;
    let denied = "Access was denied to this resource.";
    app.post("/v1/archive_policy", json!({"nonsense": 1}))
        .await
        .is(403)
        .says(denied);
    app.patch("/v1/archive_policy/second", json!({}))
        .await
        .is(403)
        .says(denied);
    app.delete("/v1/archive_policy/second")
        .await
        .is(403)
        .says(denied);
    app.call("GET", "/v1/archive_policy").send().await.is(401);
    app.get("/v1/archive_policy/second").await.is(200);
}

#[tokio::test]
async fn bodies_that_are_no_archive_policy() {
    let app = App::new();
    let check = async |body: Value, reason: &str, detail: Value| {
        let answer = app
            .call("POST", "/v1/archive_policy")
            .user("admin")
            .wants_json()
            .json(&body)
            .await
            .is(400);
        let description = answer.description();
        assert_eq!(description["cause"], "Invalid input", "{body}");
        assert_eq!(description["reason"], reason, "{body}");
        assert_eq!(description["detail"], detail, "{body}");
    };
    let item = |item: Value| json!({"name": "x", "definition": [item]});
    check(json!([]), "expected a dictionary", json!([])).await;
    check(
        json!({"cowsay": "moo"}),
        "extra keys not allowed @ data['cowsay']",
        json!(["cowsay"]),
    )
    .await;
    check(
        json!({"name": "x"}),
        "required key not provided @ data['definition']",
        json!(["definition"]),
    )
    .await;
    check(
        json!({"definition": [], "name": "x"}),
        "length of value must be at least 1 for dictionary value @ data['definition']",
        json!(["definition"]),
    )
    .await;
    check(
        item(json!({"granularity": 0})),
        "Timespan must be positive for dictionary value @ data['definition'][0]['granularity']",
        json!(["definition", "0", "granularity"]),
    )
    .await;
    check(
        item(json!({"granularity": null})),
        "Invalid timespan for dictionary value @ data['definition'][0]['granularity']",
        json!(["definition", "0", "granularity"]),
    )
    .await;
    check(
        item(json!({"granularity": "1 shenanigan"})),
        "Unable to parse timespan for dictionary value @ data['definition'][0]['granularity']",
        json!(["definition", "0", "granularity"]),
    )
    .await;
    check(
        item(json!({"granularity": 1, "points": 0})),
        "value must be at least 1 for dictionary value @ data['definition'][0]['points']",
        json!(["definition", "0", "points"]),
    )
    .await;
    check(
        json!({"name": "x", "definition": [{"granularity": 1}], "aggregation_methods": ["mean", "wtf"]}),
        "not a valid value @ data['aggregation_methods'][1]",
        json!(["aggregation_methods", "1"]),
    )
    .await;
    check(
        json!({"name": "x", "definition": [{"granularity": 1}], "back_window": -1}),
        "value must be at least 0 for dictionary value @ data['back_window']",
        json!(["back_window"]),
    )
    .await;
    check(
        json!({"name": "x".repeat(256), "definition": [{"granularity": 1}]}),
        "length of value must be at most 255 for dictionary value @ data['name']",
        json!(["name"]),
    )
    .await;
}

#[tokio::test]
async fn archive_policies_that_make_no_sense() {
    let app = App::new();
    let check = async |definition: Value, text: &str| {
        app.admin(
            "POST",
            "/v1/archive_policy",
            json!({"name": "x", "definition": definition}),
        )
        .await
        .is(400)
        .says(text);
    };
    check(
        json!([{"granularity": 1, "points": 60, "timespan": 61}]),
        "timespan ≠ granularity × points",
    )
    .await;
    check(
        json!([{}]),
        "At least two of granularity/points/timespan must be provided",
    )
    .await;
    check(
        json!([{"granularity": 10, "timespan": 1}]),
        "Calculated number of points is < 0",
    )
    .await;
    check(
        json!([{"granularity": 1, "points": 1}, {"granularity": "1s"}]),
        "More than one archive policy uses granularity `1.0'",
    )
    .await;
    check(
        json!([{"granularity": "100 weeks", "points": 1_000_000_000_000_u64}]),
        "out of range",
    )
    .await;
}

#[tokio::test]
async fn granularities_stay_when_a_policy_changes() {
    let app = App::with_policy().await;
    let check = async |definition: Value, text: &str| {
        let change = json!({"definition": definition});
        app.admin("PATCH", "/v1/archive_policy/second", change)
            .await
            .is(400)
            .says(text);
    };
    let prefix = "Archive policy second does not support change:";
    check(
        json!([{"granularity": 1}, {"granularity": 2}]),
        &format!("{prefix} Cannot add or drop granularities"),
    )
    .await;
    check(
        json!([{"granularity": 2}]),
        &format!("{prefix} 1.0 granularity interval was changed"),
    )
    .await;
    app.admin("PATCH", "/v1/archive_policy/second", json!({"name": "x"}))
        .await
        .is(400)
        .says("extra keys not allowed");
    app.admin("PATCH", "/v1/archive_policy/none", json!({}))
        .await
        .is(404);
}

#[tokio::test]
async fn a_policy_in_use_stays() {
    let app = App::with_policy().await;
    app.create_metric().await;
    let in_use = "Archive policy second is still in use";
    app.admin("DELETE", "/v1/archive_policy/second", Value::Null)
        .await
        .is(400)
        .says(in_use);
}

#[tokio::test]
async fn rules_choose_the_archive_policy_of_a_metric() {
    let app = App::with_policy().await;
    app.admin("POST", "/v1/archive_policy", hourly("day"))
        .await
        .is(201);
    let rule = |name: &str, pattern: &str, policy: &str| json!({"name": name, "metric_pattern": pattern, "archive_policy_name": policy});
    let created = app
        .admin("POST", "/v1/archive_policy_rule", rule("all", "*", "day"))
        .await
        .is(201);
    assert_eq!(
        created.header("location"),
        "http://example.org/v1/archive_policy_rule/all"
    );
    app.admin(
        "POST",
        "/v1/archive_policy_rule",
        rule("disks", "disk.*", "second"),
    )
    .await
    .is(201);
    app.admin("POST", "/v1/archive_policy_rule", rule("all", "x", "day"))
        .await
        .is(409);
    let names: Vec<Value> = app
        .get("/v1/archive_policy_rule")
        .await
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["name"].clone())
        .collect();
    assert_eq!(names, ["disks", "all"]);

    let chosen = async |body: Value| {
        app.post("/v1/metric", body).await.is(201).json()["archive_policy_name"].clone()
    };
    assert_eq!(chosen(json!({"name": "disk.io"})).await, "second");
    assert_eq!(chosen(json!({"name": "cpu"})).await, "day");
    assert_eq!(chosen(json!({})).await, "day");
    app.admin("DELETE", "/v1/archive_policy_rule/all", Value::Null)
        .await
        .is(204);
    let missing = "No archive policy name specified and no archive policy rule found matching the metric name";
    app.post("/v1/metric", json!({"name": "cpu"}))
        .await
        .is(400)
        .says(&format!("{missing} cpu"));
    app.post("/v1/metric", json!({}))
        .await
        .is(400)
        .says(&format!("{missing} None"));
}

#[tokio::test]
async fn rules_are_renamed_and_deleted() {
    let app = App::with_policy().await;
    let rule =
        |name: &str| json!({"name": name, "metric_pattern": name, "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule("a"))
        .await
        .is(201);
    app.admin("POST", "/v1/archive_policy_rule", rule("b"))
        .await
        .is(201);
    let renamed = app
        .admin("PATCH", "/v1/archive_policy_rule/a", json!({"name": "c"}))
        .await
        .is(200)
        .json();
    assert_eq!(
        renamed,
        json!({"name": "c", "metric_pattern": "a", "archive_policy_name": "second"})
    );
    let taken =
        "Archive policy rule c does not support change: Archive policy rule b already exists.";
    app.admin("PATCH", "/v1/archive_policy_rule/c", json!({"name": "b"}))
        .await
        .is(400)
        .says(taken);
    app.get("/v1/archive_policy_rule/a")
        .await
        .is(404)
        .says("Archive policy rule a does not exist");
    app.admin("PATCH", "/v1/archive_policy_rule/c", json!({}))
        .await
        .is(400);
    app.delete("/v1/archive_policy_rule/c").await.is(403);
    app.delete("/v1/archive_policy_rule/a").await.is(404);
    app.post("/v1/archive_policy_rule", json!({})).await.is(403);

    let unknown = json!({"name": "x", "metric_pattern": "*", "archive_policy_name": "none"});
    let answer = app
        .call("POST", "/v1/archive_policy_rule")
        .user("admin")
        .wants_json()
        .json(&unknown)
        .await
        .is(400);
    assert_eq!(
        answer.description(),
        json!({"cause": "Archive policy does not exist", "detail": "none"})
    );
}
