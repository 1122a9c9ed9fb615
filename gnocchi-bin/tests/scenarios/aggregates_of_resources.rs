//! Expressions across series of resources: wildcards, groups and history.

use serde_json::{Value, json};

use crate::support::{Answer, App};

const ID: &str = "1ed9c196-4c9f-4ba8-a5be-c9a71a82aac4";
const OTHER_ID: &str = "2447cd7e-48a6-4c50-a991-6677cc0d00e6";

/// A store with two resources of one user in two projects.
async fn story() -> App {
    let app = App::with_policy().await;
    app.admin(
        "POST",
        "/v1/resource_type",
        json!({"name": "instance", "attributes": {"flavor": {"type": "string", "required": false}}}),
    )
    .await
    .is(201);
    for (id, project, value) in [(ID, "shop", 43.0), (OTHER_ID, "bank", 23.0)] {
        let metrics = json!({"cpu.util": {"archive_policy_name": "second"}, "cpu.idle": {"archive_policy_name": "second"}});
        let resource = json!({"id": id, "user_id": "u", "project_id": project, "flavor": "small", "metrics": metrics});
        app.post("/v1/resource/instance", resource).await.is(201);
        let measures = json!([
            {"timestamp": "2015-03-06T14:33:57", "value": value},
            {"timestamp": "2015-03-06T14:34:12", "value": 12},
        ]);
        let path = format!("/v1/resource/instance/{id}/metric/cpu.util/measures");
        app.post(&path, measures).await.is(202);
    }
    app
}

async fn compute(app: &App, parameters: &str, body: Value) -> Answer {
    let path = format!("/v1/aggregates?{parameters}");
    app.call("POST", &path)
        .user("foobar")
        .wants_json()
        .json(&body)
        .await
}

fn over(resource_type: &str, operations: &str) -> Value {
    json!({"operations": operations, "resource_type": resource_type, "search": "user_id = 'u'"})
}

fn rows(first: f64, second: f64) -> Value {
    json!([
        ["2015-03-06T14:33:57+00:00", 1.0, first],
        ["2015-03-06T14:34:12+00:00", 1.0, second]
    ])
}

#[tokio::test]
async fn series_are_found_by_patterns() {
    let app = story().await;
    let one = compute(
        &app,
        "details=true",
        over("generic", "(metric (cpu.* mean) (*.util max))"),
    )
    .await;
    let one = one.is(200).json();
    assert_eq!(
        one["measures"][ID]["cpu.util"],
        json!({"mean": rows(43.0, 12.0), "max": rows(43.0, 12.0)})
    );
    assert_eq!(one["measures"][OTHER_ID]["cpu.idle"], json!({"mean": []}));
    let references = one["references"].as_array().unwrap();
    assert_eq!(references.len(), 2);
    assert_eq!(references[0]["metrics"].as_object().unwrap().len(), 2);
    assert_eq!(references[0].get("flavor"), None);
    let typed = compute(
        &app,
        "details=true",
        over("instance", "(aggregate sum (metric cpu.util mean))"),
    )
    .await;
    let typed = typed.is(200).json();
    assert_eq!(typed["measures"], json!({"aggregated": rows(66.0, 24.0)}));
    assert_eq!(typed["references"][0]["flavor"], json!("small"));
    let none = compute(
        &app,
        "",
        over("generic", "(metric (notexists mean) (foobar mean))"),
    )
    .await;
    assert_eq!(
        none.is(404).description(),
        json!("Metric ['foobar', 'notexists'] does not exist")
    );
    let unknown = compute(&app, "", over("generic", "(metric cpu.util what?)"))
        .await
        .is(404);
    assert_eq!(
        unknown.description()["cause"],
        json!("Metrics with unknown aggregation")
    );
    let granularity = compute(
        &app,
        "granularity=7",
        over("generic", "(metric cpu.util mean)"),
    )
    .await
    .is(400);
    assert_eq!(
        granularity.description()["detail"],
        json!([["cpu.util", "mean", 7.0], ["cpu.util", "mean", 7.0]])
    );
}

#[tokio::test]
async fn a_pattern_without_a_metric_leaves_its_own_series_out() {
    let app = story().await;
    let check = async |operations: &str, expected: Value| {
        for search in [
            json!({}),
            json!("{\"=\": {\"user_id\": \"u\"}}"),
            json!("{}"),
        ] {
            let body =
                json!({"operations": operations, "resource_type": "generic", "search": search});
            let found = compute(&app, "", body).await.is(200).json();
            assert_eq!(
                found,
                json!({"measures": {"aggregated": expected}}),
                "{operations}"
            );
        }
    };
    check(
        "(aggregate sum (metric (cpu.util mean) (foobar mean)))",
        rows(66.0, 24.0),
    )
    .await;
    check(
        "(aggregate sum (metric cpu.util mean) (metric foobar mean))",
        rows(66.0, 24.0),
    )
    .await;
    check(
        "(+ (aggregate sum (metric cpu.util mean)) (aggregate sum (metric foobar mean)))",
        rows(66.0, 24.0),
    )
    .await;
    // What has no value has none afterwards, but the list is there.
    check(
        "(/ (aggregate sum (metric cpu.util mean)) (aggregate mean (metric foobar mean)))",
        json!([]),
    )
    .await;
    check("(/ (metric cpu.util mean) (metric foobar mean))", json!([])).await;
    let malformed = json!({"operations": "(metric cpu.util mean)", "resource_type": "generic", "search": "{\"="});
    let refused = compute(&app, "", malformed).await.is(400);
    refused.says("Invalid filter: Expected a JSON object: EOF while parsing");
}

#[tokio::test]
async fn a_group_may_lack_a_metric_that_others_have() {
    let app = story().await;
    let metric = json!({"load": {"archive_policy_name": "second"}});
    let path = format!("/v1/resource/instance/{ID}/metric");
    app.post(&path, metric).await.is(200);
    let measures = json!([{"timestamp": "2015-03-06T14:33:57", "value": 1}]);
    app.post(&format!("{path}/load/measures"), measures)
        .await
        .is(202);
    let operations =
        "(+ (aggregate sum (metric cpu.util mean)) (aggregate sum (metric load mean)))";
    let groups = compute(
        &app,
        "groupby=project_id&groupby=",
        over("generic", operations),
    )
    .await;
    let expected = json!([
        {"group": {"project_id": "bank"}, "measures": {"measures": {"aggregated": rows(23.0, 12.0)}}},
        {"group": {"project_id": "shop"}, "measures": {"measures": {"aggregated": rows(44.0, 12.0)}}},
    ]);
    assert_eq!(groups.is(200).json(), expected);
}

#[tokio::test]
async fn resources_are_grouped() {
    let app = story().await;
    let mean = "(aggregate mean (metric cpu.util mean))";
    let groups = compute(
        &app,
        "groupby=user_id&groupby=project_id&groupby=user_id",
        over("generic", mean),
    )
    .await;
    let expected = json!([
        {"group": {"project_id": "bank", "user_id": "u"}, "measures": {"measures": {"aggregated": rows(23.0, 12.0)}}},
        {"group": {"project_id": "shop", "user_id": "u"}, "measures": {"measures": {"aggregated": rows(43.0, 12.0)}}},
    ]);
    assert_eq!(groups.is(200).json(), expected);
    let nulls = compute(
        &app,
        "groupby=ended_at&details=true",
        over("instance", mean),
    )
    .await
    .is(200)
    .json();
    assert_eq!(nulls[0]["group"], json!({"ended_at": null}));
    assert_eq!(
        nulls[0]["measures"]["references"].as_array().unwrap().len(),
        2
    );
    let apart = compute(
        &app,
        "groupby=flavor",
        over("instance", "(metric cpu.util mean)"),
    )
    .await
    .is(200)
    .json();
    assert_eq!(
        apart[0]["measures"]["measures"][ID]["cpu.util"]["mean"],
        rows(43.0, 12.0)
    );
    for name in ["unit", "metrics", "flavor"] {
        let bad = compute(&app, &format!("groupby={name}"), over("generic", mean))
            .await
            .is(400);
        assert_eq!(
            bad.description(),
            json!(format!(
                "Invalid pagination: `Sort key supplied is invalid: {name}'"
            ))
        );
    }
    // By ids there is nothing to group.
    let metric = app
        .get(&format!("/v1/resource/generic/{ID}/metric/cpu.util"))
        .await
        .is(200)
        .json();
    let by_id = json!({"operations": ["metric", metric["id"], "mean"]});
    compute(&app, "groupby=unit", by_id).await.is(200);
}

#[tokio::test]
async fn measures_count_for_the_group_of_their_time() {
    let app = story().await;
    // The clock of the story stands in June.
    app.patch(
        &format!("/v1/resource/instance/{ID}"),
        json!({"flavor": "large"}),
    )
    .await
    .is(200);
    let later = json!([{"timestamp": "2099-01-01T01:00:00", "value": 1}]);
    app.post(
        &format!("/v1/resource/instance/{ID}/metric/cpu.util/measures"),
        later,
    )
    .await
    .is(202);
    let body = json!({
        "operations": "(aggregate mean (metric cpu.* mean))",
        "resource_type": "instance",
        "search": {"=": {"id": ID}},
    });
    let groups = compute(
        &app,
        "groupby=flavor&use_history=true&details=true",
        body.clone(),
    )
    .await
    .is(200)
    .json();
    assert_eq!(groups[0]["group"], json!({"flavor": "large"}));
    assert_eq!(
        groups[0]["measures"]["measures"],
        json!({"aggregated": [["2099-01-01T01:00:00+00:00", 1.0, 1.0]]})
    );
    assert_eq!(groups[1]["group"], json!({"flavor": "small"}));
    assert_eq!(
        groups[1]["measures"]["measures"],
        json!({"aggregated": rows(43.0, 12.0)})
    );
    assert_eq!(
        groups[1]["measures"]["references"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let now = compute(&app, "groupby=flavor", body).await.is(200).json();
    assert_eq!(now.as_array().unwrap().len(), 1);
    let apart = compute(
        &app,
        "groupby=flavor&use_history=true",
        over("instance", "(metric cpu.util mean)"),
    )
    .await;
    assert_eq!(
        apart.is(400).description()["cause"],
        json!("Operations is invalid")
    );
    let bad = compute(
        &app,
        "groupby=unit&use_history=true",
        over("instance", "(metric cpu.util mean)"),
    )
    .await;
    assert_eq!(
        bad.is(400).description(),
        json!("Invalid pagination: `Sort key supplied is invalid: unit'")
    );
    compute(&app, "use_history=wat", json!({}))
        .await
        .is(400)
        .says("Unable to parse `use_history'");
}
