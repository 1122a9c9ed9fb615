//! Searching resources, and deleting those that match.

use serde_json::{Value, json};

use crate::support::{Answer, App};

const SEARCH: &str = "/v1/search/resource/generic";
const TYPED: &str = "/v1/search/resource/server";

/// Four servers of `foobar` and a generic resource of `other`.
async fn with_servers() -> App {
    let app = App::with_policy().await;
    let server = json!({"name": "server", "attributes": {
        "host": {"type": "string", "required": true},
        "cpus": {"type": "number", "required": false},
        "image": {"type": "uuid", "required": false},
        "active": {"type": "bool", "required": false},
        "launched": {"type": "datetime", "required": false},
    }});
    app.admin("POST", "/v1/resource_type", server).await.is(201);
    let servers = [
        json!({"id": "r1", "host": "web-1", "cpus": 6, "active": true, "launched": "2015-06-06T13:00:00"}),
        json!({"id": "r2", "host": "web-2", "cpus": 4.5, "active": false, "user_id": "u"}),
        json!({"id": "r3", "host": "Web-3", "image": "f93450f2-d8a5-4d67-9985-02511241e7d1",
               "started_at": "2015-06-06T12:00:00", "ended_at": "2015-06-06T12:30:00"}),
        json!({"id": "r4", "host": "db%1", "cpus": 6, "metrics": {"cpu": {"archive_policy_name": "second"}}}),
    ];
    for body in servers {
        app.post("/v1/resource/server", body).await.is(201);
    }
    let generic = json!({"id": "r5", "project_id": "p"});
    app.call("POST", "/v1/resource/generic")
        .user("other")
        .json(&generic)
        .await
        .is(201);
    app
}

fn original_ids(answer: &Answer) -> Vec<String> {
    let listed = answer.json();
    let ids = listed.as_array().unwrap().iter();
    let mut ids: Vec<String> = ids
        .map(|one| one["original_resource_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Searches by a filter as JSON and as text, which are the same.
async fn finds(app: &App, path: &str, body: Value, text: &str, expected: &[&str]) {
    let found = app.post(path, body.clone()).await.is(200);
    assert_eq!(original_ids(&found), expected, "{body}");
    let path = format!("{path}?filter={}", escaped(text));
    let found = app.post_nothing(&path).await.is(200);
    assert_eq!(original_ids(&found), expected, "{text}");
}

#[tokio::test]
async fn filters_on_attributes_find_the_same_in_both_notations() {
    let app = with_servers().await;
    let check = async |path: &str, body: Value, text: &str, expected: &[&str]| {
        finds(&app, path, body, text, expected).await;
    };
    check(
        TYPED,
        json!({"=": {"host": "web-1"}}),
        "host = 'web-1'",
        &["r1"],
    )
    .await;
    check(
        TYPED,
        json!({"like": {"host": "web%"}}),
        "host like 'web%'",
        &["r1", "r2"],
    )
    .await;
    // A backslash makes the wildcard behind it an ordinary character.
    check(
        TYPED,
        json!({"like": {"host": r"%\%%"}}),
        r"host like '%\%%'",
        &["r4"],
    )
    .await;
    check(
        TYPED,
        json!({"like": {"host": r"web\_%"}}),
        r"host like 'web\_%'",
        &[],
    )
    .await;
    check(
        TYPED,
        json!({"like": {"host": r"web\-_"}}),
        r"host like 'web\-_'",
        &["r1", "r2"],
    )
    .await;
    check(
        TYPED,
        json!({"=": {"cpus": "6"}}),
        "cpus = 6",
        &["r1", "r4"],
    )
    .await;
    check(
        TYPED,
        json!({"!=": {"cpus": 6}}),
        "cpus != 6",
        &["r2", "r3"],
    )
    .await;
    check(
        TYPED,
        json!({"not": {"=": {"cpus": 6}}}),
        "not cpus = 6",
        &["r2"],
    )
    .await;
    check(TYPED, json!({"=": {"cpus": null}}), "cpus = null", &["r3"]).await;
    check(
        TYPED,
        json!({"in": {"host": ["web-1", "db%1"]}}),
        "host in ['web-1', 'db%1']",
        &["r1", "r4"],
    )
    .await;
    check(
        TYPED,
        json!({"=": {"active": "true"}}),
        "active = True",
        &["r1"],
    )
    .await;
    check(
        TYPED,
        json!({">": {"launched": "-2 hours"}}),
        "launched > '-2 hours'",
        &["r1"],
    )
    .await;
}

#[tokio::test]
async fn filters_on_properties_find_the_same_in_both_notations() {
    let app = with_servers().await;
    let check = async |path: &str, body: Value, text: &str, expected: &[&str]| {
        finds(&app, path, body, text, expected).await;
    };
    let all = ["r1", "r2", "r3", "r4"];
    check(
        TYPED,
        json!({"≤": {"lifespan": "30 min"}}),
        "lifespan ≤ 1800",
        &["r3"],
    )
    .await;
    // Those that have not ended differ from every length, and are neither longer nor shorter.
    check(
        TYPED,
        json!({"!=": {"lifespan": "30 min"}}),
        "lifespan != \"30 min\"",
        &["r1", "r2", "r4"],
    )
    .await;
    check(TYPED, json!({"≠": {"lifespan": 5}}), "lifespan ≠ 5", &all).await;
    check(
        TYPED,
        json!({"not": {"=": {"lifespan": 5}}}),
        "not lifespan = 5",
        &["r3"],
    )
    .await;
    check(
        TYPED,
        json!({"or": [{"<": {"cpus": 5}}, {"=": {"id": "r4"}}]}),
        "cpus < 5 or id = r4",
        &["r2", "r4"],
    )
    .await;
    check(
        TYPED,
        json!({"≠": {"created_by_user_id": "other"}}),
        "created_by_user_id ≠ other",
        &all,
    )
    .await;
    check(
        SEARCH,
        json!({"=": {"project_id": "p"}}),
        "project_id=p",
        &["r5"],
    )
    .await;
    check(
        SEARCH,
        json!({"=": {"created_by_user_id": "other"}}),
        "created_by_user_id = other",
        &["r5"],
    )
    .await;
    check(
        SEARCH,
        json!({"eq": {"type": "server"}}),
        "type = server",
        &all,
    )
    .await;
    // Names belong to those who gave them.
    check(
        SEARCH,
        json!({"in": {"id": ["r1", "r5"]}}),
        "id in [r1, r5]",
        &["r1"],
    )
    .await;
    let everything = app.post(SEARCH, json!({})).await.is(200);
    assert_eq!(original_ids(&everything).len(), 5);
    // Parameters without a value are none.
    let everything = app.post_nothing(&format!("{SEARCH}?filter=&attrs=")).await;
    assert_eq!(original_ids(&everything.is(200)).len(), 5);
}

#[tokio::test]
async fn the_wire_form_is_that_of_listings() {
    let app = with_servers().await;
    let body = json!({"=": {"host": "db%1"}});
    let found = app.post(TYPED, body.clone()).await.is(200).json();
    assert_eq!(found[0]["cpus"], 6.0);
    assert!(found[0]["metrics"]["cpu"].is_string());
    let by_id = json!({"=": {"id": "r4"}});
    let through_generic = app.post(SEARCH, by_id.clone()).await.is(200).json();
    assert_eq!(through_generic[0].as_object().unwrap().len(), 13);
    let details = format!("{SEARCH}?details=true");
    let detailed = app.post(&details, by_id).await.is(200).json();
    assert_eq!(detailed[0]["host"], "db%1");
    let some = format!("{TYPED}?attrs=id&attrs=host&attrs=foo");
    let found = app.post(&some, body).await.is(200).json();
    assert_eq!(found[0].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn searches_have_pages() {
    let app = with_servers().await;
    let path = format!("{TYPED}?limit=2&sort=host:asc&filter=cpus%3D6%20or%20cpus%3Dnull");
    let first = app.call("POST", &path).user("foobar").send().await.is(200);
    assert_eq!(original_ids(&first), ["r3", "r4"]);
    let link = first.header("link").to_owned();
    let next = link
        .trim_start_matches("<http://example.org")
        .split('>')
        .next()
        .unwrap();
    assert!(
        next.starts_with(TYPED) && next.contains("&marker="),
        "{next}"
    );
    let second = app.call("POST", next).user("foobar").send().await.is(200);
    assert_eq!(original_ids(&second), ["r1"]);
    assert!(!second.headers.contains_key("link"));
}

#[tokio::test]
async fn past_revisions_are_searched_on_request() {
    let app = with_servers().await;
    let path = "/v1/resource/server/r1";
    app.patch(path, json!({"host": "web-9"})).await.is(200);
    let search = async |text: &str| {
        let path = format!("{TYPED}?history=true&filter={}", escaped(text));
        app.call("POST", &path).user("foobar").send().await
    };
    let old = search("host = 'web-1'").await.is(200).json();
    assert_eq!(old.as_array().unwrap().len(), 1);
    assert!(old[0]["revision_end"].is_string());
    let both = search("host in ['web-1', 'web-9']").await.is(200).json();
    assert_eq!(both.as_array().unwrap().len(), 2);
    let current = search("id = r1 and revision_end = null")
        .await
        .is(200)
        .json();
    assert_eq!(current[0]["host"], "web-9");
    assert_eq!(current.as_array().unwrap().len(), 1);
    let unknown = json!({"=": {"revision_end": null}});
    app.post(TYPED, unknown)
        .await
        .is(400)
        .says("Resource type server has no revision_end attribute");
}

#[tokio::test]
async fn details_keep_the_order_of_history() {
    let app = with_servers().await;
    for host in ["a", "b", "c"] {
        let change = json!({"host": host});
        app.patch("/v1/resource/server/r2", change).await.is(200);
    }
    for path in [SEARCH, TYPED] {
        let order = "sort=revision:desc&history=true&filter=id%3Dr2";
        let plain = app.post_nothing(&format!("{path}?{order}")).await.json();
        let detailed = format!("{path}?{order}&details=true");
        let detailed = app.post_nothing(&detailed).await.json();
        let ends = |rows: &Value| -> Vec<Value> {
            let rows = rows.as_array().unwrap().iter();
            rows.map(|row| row["revision_start"].clone()).collect()
        };
        assert_eq!(ends(&plain), ends(&detailed), "{path}");
        let hosts: Vec<&str> = detailed
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["host"].as_str().unwrap())
            .collect();
        assert_eq!(hosts, ["b", "a", "web-2", "c"], "{path}");
    }
}

#[tokio::test]
async fn wrong_filters_are_named() {
    let app = with_servers().await;
    let text = async |path: &str, filter: &str, expected: &str| {
        let path = format!("{path}?filter={}", escaped(filter));
        let answer = app.post_nothing(&path).await;
        answer.is(400).says(expected);
    };
    text(
        SEARCH,
        "id == foobar",
        "Invalid filter: Expected a value, found '='  (at char 4), (line:1, col:5)",
    )
    .await;
    text(
        SEARCH,
        "user_id = abc-def",
        "Invalid filter: Expected end of text, found '-'  (at char 13), (line:1, col:14)",
    )
    .await;
    text(
        SEARCH,
        " ",
        "Invalid filter: Expected a comparison, found end of text  (at char 1), (line:1, col:2)",
    )
    .await;
    text(
        SEARCH,
        "id in []",
        "length of value must be at least 1 for dictionary value @ data['in']['id']",
    )
    .await;
    text(SEARCH, "5 = n", "expected str @ data['='][5.0]").await;
    text(
        TYPED,
        "cpus = many",
        "Invalid value: `many' for field `cpus'",
    )
    .await;
    text(
        SEARCH,
        "host = a",
        "Resource type generic has no host attribute",
    )
    .await;
    let body = async |body: Value, expected: &str| {
        app.post(TYPED, body).await.is(400).says(expected);
    };
    body(
        json!({"<": {"host": null}}),
        "Invalid value: `None' for field `host'",
    )
    .await;
    body(
        json!({"=": {"image": "x"}}),
        "Invalid value: `x' for field `image'",
    )
    .await;
    body(
        json!({"=": {"active": 1}}),
        "Invalid value: `1' for field `active'",
    )
    .await;
    body(
        json!({"=": {"lifespan": "long"}}),
        "Invalid value: `long' for field `lifespan'",
    )
    .await;
    body(
        json!({"like": {"launched": "2%"}}),
        "Invalid value: `2%' for field `launched'",
    )
    .await;
    body(
        json!({"and": [5]}),
        "invalid value or type @ data['and'][0]",
    )
    .await;
    body(
        json!({"in": {"host": vec![0; 10_001]}}),
        "more than 10000 values",
    )
    .await;
    app.call("POST", TYPED)
        .user("foobar")
        .body("{}")
        .send()
        .await
        .is(415);
    app.post("/v1/search/resource/unknown", json!({}))
        .await
        .is(404)
        .says("Resource type unknown does not exist");
    let refused = app.get("/v1/search/resource/generic").await.is(405);
    assert_eq!(refused.header("allow"), "POST");
    app.get("/v1/search/resource/unknown").await.is(404);
}

#[tokio::test]
async fn ids_that_no_resource_can_have_are_named() {
    let app = with_servers().await;
    let single = "'/' is not supported in resource id for dictionary value @ data['=']['id']";
    let path = format!("{SEARCH}?filter={}", escaped("id = 'a/b'"));
    app.post_nothing(&path).await.is(400).says(single);
    for (body, expected) in [
        (json!({"=": {"id": "a/b"}}), single),
        (
            json!({"in": {"id": ["r1", "a/b"]}}),
            "'/' is not supported in resource id @ data['in']['id'][1]",
        ),
        (
            json!({"=": {"id": "x".repeat(290)}}),
            "transformable resource id >289 max allowed characters for dictionary value",
        ),
    ] {
        app.post(SEARCH, body.clone()).await.is(400).says(expected);
        app.call("DELETE", "/v1/resource/generic")
            .user("foobar")
            .json(&body)
            .await
            .is(400)
            .says(expected);
    }
}

#[tokio::test]
async fn what_matches_is_deleted_entirely() {
    let app = with_servers().await;
    let delete =
        async |path: &str, body: Value| app.call("DELETE", path).user("foobar").json(&body).await;
    let caution =
        "caution: the query can not be empty, or it will                  delete entire database";
    for body in [json!({}), json!({"and": [{}]})] {
        delete("/v1/resource/generic", body)
            .await
            .is(400)
            .says(caution);
    }
    app.delete("/v1/resource/generic")
        .await
        .is(400)
        .says(caution);
    let metric = app
        .get("/v1/resource/server/r4/metric/cpu")
        .await
        .is(200)
        .json();
    let metric = format!("/v1/metric/{}", metric["id"].as_str().unwrap());
    let deleted = delete("/v1/resource/server", json!({"=": {"cpus": 6}})).await;
    assert_eq!(deleted.is(200).json(), json!({"deleted": 2}));
    app.get(&metric).await.is(404);
    app.get("/v1/resource/generic/r4").await.is(404);
    let left = app.post(SEARCH, json!({})).await.is(200);
    assert_eq!(original_ids(&left), ["r2", "r3", "r5"]);
    let text = "/v1/resource/generic?filter=original_resource_id%20like%20%22r_%22";
    // One of the three belongs to another user: it stays, and alone it is refused.
    let deleted = app.delete(text).await.is(200).json();
    assert_eq!(deleted, json!({"deleted": 2}));
    app.delete(text).await.is(403);
    let deleted = app.call("DELETE", text).user("admin").send().await;
    assert_eq!(deleted.is(200).json(), json!({"deleted": 1}));
    let nothing = delete("/v1/resource/generic", json!({"=": {"user_id": "u"}})).await;
    assert_eq!(nothing.is(200).json(), json!({"deleted": 0}));
    delete("/v1/resource/unknown", json!({})).await.is(404);
}
