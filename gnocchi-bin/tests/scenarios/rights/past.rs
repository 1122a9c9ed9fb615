//! Callers who may no longer see a resource do not see its past either.

use serde_json::json;

use super::{Mode, RESOURCE, Story};

/// A project that a resource was lent to keeps no view of it: neither of its revisions at that time, nor of later ones.
#[tokio::test]
async fn what_is_no_longer_seen_has_no_visible_past() {
    const HISTORY: &str = "/v1/resource/generic?history=true";
    let story = Story::new(Mode::Projects).await;
    let lent = json!({"project_id": "p-owner"});
    story.resource("owner", RESOURCE, lent).await;
    let resource = format!("/v1/resource/generic/{RESOURCE}");
    for (project, visible) in [("p-other", 1), ("p-owner", 0)] {
        let change = json!({"project_id": project});
        story.ask("owner", "PATCH", &resource, change).await.is(200);
        let rows = story.get("other", HISTORY).await.is(200).json();
        assert_eq!(rows.as_array().unwrap().len(), visible, "{rows}");
    }
    let later = json!({"later": {}});
    story
        .post("owner", &format!("{resource}/metric"), later)
        .await
        .is(200);
    let search = "/v1/search/resource/generic?history=true";
    let found = story.post("other", search, json!({})).await.is(200);
    assert_eq!(found.json(), json!([]));
    let own = story.get("owner", HISTORY).await.is(200).json();
    assert_eq!(own.as_array().unwrap().len(), 3, "{own}");
    let marker = format!("{HISTORY}&marker={RESOURCE}@2");
    story.get("other", &marker).await.is(400);
    story.get("owner", &marker).await.is(200);
    for name in ["cpu", "later"] {
        let body = json!({
            "operations": format!("(aggregate mean (metric {name} mean))"),
            "resource_type": "generic",
            "search": {},
        });
        let grouped = "/v1/aggregates?use_history=true&groupby=id";
        story.post("other", grouped, body).await.is(404);
    }
}

/// A search that leaves the first revision out doesn't give its measures to a later one.
#[tokio::test]
async fn measures_from_before_belong_to_the_first_revision_only() {
    let story = Story::new(Mode::Projects).await;
    let begin = json!({"id": RESOURCE, "project_id": "p-owner", "user_id": "first", "metrics": {"cpu": {}}});
    story
        .post("owner", "/v1/resource/generic", begin)
        .await
        .is(201);
    let resource = format!("/v1/resource/generic/{RESOURCE}");
    let measure = json!([{"timestamp": "2015-06-06T13:00:00", "value": 42}]);
    let measures = format!("{resource}/metric/cpu/measures");
    story.post("owner", &measures, measure).await.is(202);
    let body = |user: &str| {
        json!({
            "operations": "(aggregate mean (metric cpu mean))",
            "resource_type": "generic",
            "search": format!("user_id = '{user}'"),
        })
    };
    let grouped = "/v1/aggregates?use_history=true&groupby=user_id";
    let first = story.post("owner", grouped, body("first")).await.is(200);
    assert!(first.text().contains("42.0"), "{}", first.text());
    let change = json!({"user_id": "second"});
    story.ask("owner", "PATCH", &resource, change).await.is(200);
    let first = story.post("owner", grouped, body("first")).await.is(200);
    assert!(first.text().contains("42.0"), "{}", first.text());
    let second = story.post("owner", grouped, body("second")).await;
    assert!(!second.text().contains("42.0"), "{}", second.text());
}

/// Rules that look at the resource itself look at what it is now.
#[tokio::test]
async fn a_rule_about_a_resource_covers_its_past() {
    const OPEN: &str = "role:admin or rule:creator or not 'secret':%(user_id)s";
    let rules = [
        ("get resource", OPEN),
        ("list resource", OPEN),
        ("search resource", OPEN),
    ];
    let story = Story::with_rules(Mode::Projects, &rules).await;
    let begin = json!({"user_id": "open"});
    story.resource("owner", RESOURCE, begin).await;
    let rows = async |caller: &str| {
        let listed = story.get(caller, "/v1/resource/generic?history=true").await;
        let search = "/v1/search/resource/generic?history=true";
        let found = story.post(caller, search, json!({})).await.is(200);
        assert_eq!(listed.is(200).json(), found.json());
        found.json().as_array().unwrap().len()
    };
    assert_eq!(rows("other").await, 1);
    let change = json!({"user_id": "secret"});
    let path = format!("/v1/resource/generic/{RESOURCE}");
    story.ask("owner", "PATCH", &path, change).await.is(200);
    let hidden = story.get("other", "/v1/resource/generic").await;
    assert_eq!(hidden.is(200).json(), json!([]));
    assert_eq!(rows("other").await, 0);
    assert_eq!(rows("owner").await, 2);
}
