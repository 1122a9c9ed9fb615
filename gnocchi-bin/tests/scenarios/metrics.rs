//! Metrics: creation, listing, deletion, and who may see them.

use serde_json::{Value, json};

use crate::support::App;

#[tokio::test]
async fn the_three_forms_of_a_metric() {
    let app = App::with_policy().await;
    app.post(
        "/v1/resource/generic",
        json!({"id": "web", "project_id": "shop"}),
    )
    .await
    .is(201);
    let body =
        json!({"archive_policy_name": "second", "name": "cpu", "unit": "%", "resource_id": "web"});
    let created = app.post("/v1/metric", body).await.is(201);
    let short = created.json();
    let id = short["id"].as_str().unwrap();
    assert_eq!(
        created.header("location"),
        format!("http://example.org/v1/metric/{id}")
    );
    let resource = short["resource_id"].clone();
    assert_eq!(
        short,
        json!({
            "id": id, "creator": "foobar", "name": "cpu", "unit": "%", "resource_id": resource, "archive_policy_name": "second",
            "created_by_user_id": "foobar", "created_by_project_id": "",
        })
    );
    let listed = app.get("/v1/metric").await.is(200).json();
    assert_eq!(listed[0]["archive_policy"]["name"], "second");
    assert_eq!(listed[0]["resource_id"], resource);
    assert_eq!(listed[0].get("archive_policy_name"), None);
    let detailed = app.get(&format!("/v1/metric/{id}")).await.is(200).json();
    assert_eq!(
        detailed["archive_policy"]["definition"][0]["granularity"],
        "0:00:01"
    );
    assert_eq!(detailed["resource"]["project_id"], "shop");
    assert_eq!(detailed["resource"].get("metrics"), None);
    assert_eq!(detailed.get("resource_id"), None);
    // Any textual form of the id will do.
    app.get(&format!(
        "/v1/metric/{}",
        id.to_uppercase().replace('-', "")
    ))
    .await
    .is(200);
}

#[tokio::test]
async fn the_resource_of_a_metric_has_what_all_types_share() {
    let app = App::with_policy().await;
    let host = json!({"name": "host", "attributes": {"rack": {"type": "string"}}});
    app.admin("POST", "/v1/resource_type", host).await.is(201);
    let cpu = json!({"cpu": {"archive_policy_name": "second"}});
    let body = json!({"id": "web", "rack": "r1", "project_id": "shop", "metrics": cpu});
    let created = app.post("/v1/resource/host", body).await.is(201).json();
    let id = created["metrics"]["cpu"].as_str().unwrap();
    let mut expected = created.clone();
    let expected = expected.as_object_mut().unwrap();
    assert!(expected.remove("rack").is_some() && expected.remove("metrics").is_some());
    for path in [
        format!("/v1/metric/{id}"),
        "/v1/resource/host/web/metric/cpu".to_owned(),
    ] {
        let shown = app.get(&path).await.is(200).json();
        assert_eq!(shown["resource"].as_object(), Some(&*expected), "{path}");
    }
    let operations = json!({"operations": ["metric", id, "mean"]});
    let aggregates = app.post("/v1/aggregates?details=true", operations).await;
    let references = &aggregates.is(200).json()["references"];
    assert_eq!(references[0]["resource"].as_object(), Some(&*expected));
}

#[tokio::test]
async fn metrics_that_cannot_be_created() {
    let app = App::with_policy().await;
    app.post("/v1/resource/generic", json!({"id": "web"}))
        .await
        .is(201);
    let check = async |body: Value, text: &str| {
        app.post("/v1/metric", body).await.is(400).says(text);
    };
    check(
        json!({"name": "a/b"}),
        "'/' is not supported in metric name",
    )
    .await;
    check(
        json!({"archive_policy_name": "none"}),
        "Archive policy none does not exist",
    )
    .await;
    check(
        json!({"archive_policy_name": null}),
        "expected str for dictionary value",
    )
    .await;
    check(
        json!({"unit": "u".repeat(32)}),
        "length of value must be at most 31 for dictionary value",
    )
    .await;
    check(
        json!({"name": "n".repeat(256)}),
        "length of value must be at most 255 for dictionary value",
    )
    .await;
    check(
        json!({"archive_policy_name": "second", "resource_id": 5}),
        "expected str for dictionary value",
    )
    .await;
    check(
        json!({"archive_policy_name": "second", "name": "x", "resource_id": "a/b"}),
        "'/' is not supported in resource id",
    )
    .await;
    check(
        json!({"archive_policy_name": "second", "name": "x", "resource_id": "db"}),
        "does not exist",
    )
    .await;
    check(json!("x"), "expected a dictionary").await;

    let cpu = json!({"archive_policy_name": "second", "name": "cpu", "resource_id": "web"});
    app.post("/v1/metric", cpu.clone()).await.is(201);
    let again = app
        .call("POST", "/v1/metric")
        .user("foobar")
        .wants_json()
        .json(&cpu)
        .await
        .is(400);
    assert_eq!(
        again.description(),
        json!({"cause": "Named metric already exists", "detail": "cpu"})
    );
    let nameless = json!({"archive_policy_name": "second", "resource_id": "web"});
    let answer = app
        .call("POST", "/v1/metric")
        .user("foobar")
        .wants_json()
        .json(&nameless)
        .await
        .is(400);
    let expected = json!({
        "cause": "Attribute value error", "detail": "name", "reason": "Name cannot be null if resource_id is not null",
    });
    assert_eq!(answer.description(), expected);
}

#[tokio::test]
async fn a_deleted_metric_is_gone_at_once() {
    let app = App::with_policy().await;
    let id = app.create_metric().await;
    app.call("DELETE", &format!("/v1/metric/{id}"))
        .user("foobaz")
        .send()
        .await
        .is(403);
    let answer = app.delete(&format!("/v1/metric/{id}")).await.is(204);
    assert!(answer.body.is_empty());
    assert_eq!(answer.headers.get("content-type"), None);
    let gone = format!("Metric {id} does not exist");
    app.delete(&format!("/v1/metric/{id}"))
        .await
        .is(404)
        .says(&gone);
    app.get(&format!("/v1/metric/{id}/measures"))
        .await
        .is(404)
        .says(&gone);
    app.get("/v1/metric/foobar")
        .await
        .is(404)
        .says("Metric foobar does not exist");
    assert_eq!(app.get("/v1/metric").await.json(), json!([]));
}

#[tokio::test]
async fn others_see_a_metric_in_listings_only() {
    let app = App::with_policy().await;
    let id = app.create_metric().await;
    let other =
        async |method: &str, path: String| app.call(method, &path).user("foobaz").send().await;
    other("GET", format!("/v1/metric/{id}")).await.is(403);
    other("GET", format!("/v1/metric/{id}/measures"))
        .await
        .is(403);
    app.call("POST", &format!("/v1/metric/{id}/measures"))
        .user("foobaz")
        .json(&json!([]))
        .await
        .is(403);
    app.call("POST", "/v1/batch/metrics/measures")
        .user("foobaz")
        .json(&json!({id.clone(): []}))
        .await
        .is(403);
    other("GET", "/v1/metric".to_owned())
        .await
        .is(200)
        .says(&id);
    app.call("GET", &format!("/v1/metric/{id}"))
        .user("admin")
        .send()
        .await
        .is(200);
    app.call("GET", "/v1/metric").send().await.is(401);
}

async fn create_named(app: &App, user: &str, name: &str, unit: &str) -> String {
    let body = json!({"archive_policy_name": "second", "name": name, "unit": unit});
    let created = app
        .call("POST", "/v1/metric")
        .user(user)
        .json(&body)
        .await
        .is(201)
        .json();
    created["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn listings_are_filtered() {
    let app = App::with_policy().await;
    let id = create_named(&app, "foobar", "disk", "B/s").await;
    create_named(&app, "foobaz", "disk", "B/s").await;
    create_named(&app, "jd", "cpu", "%").await;
    let count = async |query: &str| {
        app.get(&format!("/v1/metric?{query}"))
            .await
            .is(200)
            .json()
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count("").await, 3);
    assert_eq!(count(&format!("id={id}")).await, 1);
    assert_eq!(count("name=disk").await, 2);
    assert_eq!(count("name=disk&creator=jd").await, 0);
    assert_eq!(count("unit=%25").await, 1);
    assert_eq!(count("creator=jd").await, 1);
    assert_eq!(count("user_id=jd").await, 1);
    assert_eq!(count("user_id=jd&project_id=").await, 1);
    assert_eq!(count("user_id=jd&project_id=shop").await, 0);
    assert_eq!(count("user_id=jd&creator=foobar").await, 0);
    assert_eq!(count("archive_policy_name=none").await, 0);
    assert_eq!(count("status=active&unknown=ignored").await, 3);
    for query in ["id=x", "status=wtf"] {
        app.get(&format!("/v1/metric?{query}"))
            .await
            .is(400)
            .says("Invalid input");
    }
    app.get("/v1/metric?name=a&name=b").await.is(400);
}

#[tokio::test]
async fn pages_lead_to_each_other() {
    let app = App::with_policy().await;
    for name in ["a", "b", "c", "d", "e"] {
        create_named(&app, "foobar", name, "x").await;
    }
    let mut path = "/v1/metric?sort=name:desc&limit=2&unit=x".to_owned();
    let mut names = Vec::new();
    loop {
        let answer = app.get(&path).await.is(200);
        names.extend(
            answer
                .json()
                .as_array()
                .unwrap()
                .iter()
                .map(|metric| metric["name"].as_str().unwrap().to_owned()),
        );
        let Some(link) = answer.headers.get("link") else {
            break;
        };
        let link = link.to_str().unwrap();
        let next = link
            .strip_prefix("<http://example.org")
            .and_then(|rest| rest.strip_suffix(">; rel=\"next\""))
            .unwrap();
        assert!(next.starts_with("/v1/metric?limit=2&marker="), "{next}");
        assert!(next.ends_with("&sort=name%3Adesc&unit=x"), "{next}");
        path = next.to_owned();
    }
    assert_eq!(names, ["e", "d", "c", "b", "a"]);
}

#[tokio::test]
async fn pages_that_cannot_be_given() {
    let app = App::with_policy().await;
    let check = async |query: &str, text: &str| {
        app.get(&format!("/v1/metric?{query}"))
            .await
            .is(400)
            .says(text);
    };
    check(
        "sort=nonexistent:asc",
        "Invalid pagination: `Sort key supplied is invalid: nonexistent'",
    )
    .await;
    check(
        "sort=id:up",
        "Unknown sort direction, must be one of: asc-nullsfirst",
    )
    .await;
    check(
        "marker=d44b3f4c-27bc-4ace-b81c-2a8e60026874",
        "Invalid pagination: `Invalid marker: `d44b3f4c",
    )
    .await;
    check("marker=nonsense", "Invalid marker").await;
    let keys: Vec<String> = (0..17).map(|key| format!("sort=k{key}")).collect();
    check(
        &keys.join("&"),
        "Invalid pagination: `More than 16 sort keys'",
    )
    .await;
    app.get(&format!("/v1/metric?{}", vec!["sort=id"; 3000].join("&")))
        .await
        .is(200);
    for filter in [
        "name=a&name=b",
        "id=x&id=y",
        "status=active&status=active",
        "creator=a&creator=b",
    ] {
        check(filter, "Invalid input: ").await;
    }
    check(
        "limit=-2",
        "value must be at least 1 for dictionary value @ data['limit']",
    )
    .await;
    check(
        "limit=x",
        "expected int for dictionary value @ data['limit']",
    )
    .await;
}

#[tokio::test]
async fn what_was_deleted_is_not_listed() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    app.delete(&format!("/v1/metric/{metric}")).await.is(204);
    for user in ["foobar", "admin"] {
        for query in ["status=delete", "", &format!("status=delete&id={metric}")] {
            let call = app.call("GET", &format!("/v1/metric?{query}")).user(user);
            assert_eq!(call.send().await.is(200).json(), json!([]), "{query}");
        }
    }
}

#[tokio::test]
async fn a_metric_without_a_name_in_its_name_is_refused() {
    let app = App::with_policy().await;
    let existing = app.create_metric().await;
    let described = json!({"archive_policy_name": "second"});
    let resource = json!({"id": "free"});
    app.post("/v1/resource/generic", resource).await.is(201);
    let path = "/v1/resource/generic/free";
    let text = "a metric name must not be empty";
    for metrics in [json!({"": described}), json!({"": existing})] {
        let body = json!({"id": "other", "metrics": metrics});
        let refused = app.post("/v1/resource/generic", body).await.is(400);
        refused.says(text);
        let body = json!({"metrics": metrics});
        app.patch(path, body).await.is(400).says(text);
        let add = format!("{path}/metric");
        app.post(&add, metrics).await.is(400).says(text);
    }
    for resource in [json!({}), json!({"resource_id": "free"})] {
        let mut body = json!({"name": "", "archive_policy_name": "second"});
        body.as_object_mut()
            .unwrap()
            .extend(resource.as_object().unwrap().clone());
        app.post("/v1/metric", body).await.is(400).says(text);
    }
    let batch = json!({"free": {"": {"archive_policy_name": "second", "measures": []}}});
    let path = "/v1/batch/resources/metrics/measures?create_metrics=true";
    app.post(path, batch).await.is(400).says(text);
}
