//! Resource types, and resources with attributes.

use serde_json::{Value, json};

use crate::support::App;

fn instance() -> Value {
    json!({"name": "instance", "attributes": {
        "host": {"type": "string", "min_length": 2, "max_length": 5},
        "cores": {"type": "number", "min": 1, "max": 64.5, "required": false},
        "image": {"type": "uuid", "required": false},
        "public": {"type": "bool", "required": false},
        "built": {"type": "datetime", "required": false},
    }})
}

async fn with_type() -> App {
    let app = App::new();
    app.admin("POST", "/v1/resource_type", instance())
        .await
        .is(201);
    app
}

#[tokio::test]
async fn the_life_of_a_resource_type() {
    let app = App::new();
    let generic = json!({"name": "generic", "state": "active", "attributes": {}});
    assert_eq!(
        app.get("/v1/resource_type").await.is(200).json(),
        json!([generic])
    );
    app.post("/v1/resource_type", instance()).await.is(403);
    let created = app
        .admin("POST", "/v1/resource_type", instance())
        .await
        .is(201);
    assert_eq!(
        created.header("location"),
        "http://example.org/v1/resource_type/instance"
    );
    let attributes = &created.json()["attributes"];
    assert_eq!(
        attributes["host"],
        json!({"type": "string", "required": true, "min_length": 2, "max_length": 5})
    );
    assert_eq!(
        attributes["cores"],
        json!({"type": "number", "required": false, "min": 1, "max": 64.5})
    );
    app.admin("POST", "/v1/resource_type", instance())
        .await
        .is(409)
        .says("Resource type instance already exists");
    assert_eq!(
        app.get("/v1/resource_type/instance").await.is(200).json(),
        created.json()
    );
    assert_eq!(
        app.get("/v1/resource").await.json()["instance"],
        "http://example.org/v1/resource/instance"
    );
    app.delete("/v1/resource_type/instance").await.is(403);
    app.admin("DELETE", "/v1/resource_type/instance", Value::Null)
        .await
        .is(204);
    app.get("/v1/resource_type/instance")
        .await
        .is(404)
        .says("Resource type instance does not exist");
    app.admin("DELETE", "/v1/resource_type/generic", Value::Null)
        .await
        .is(400)
        .says("Resource type generic is still in use");
}

#[tokio::test]
async fn bodies_that_are_no_resource_type() {
    let app = App::new();
    let check = async |attribute: Value| {
        let body = json!({"name": "t", "attributes": {"a": attribute}});
        app.admin("POST", "/v1/resource_type", body)
            .await
            .is(400)
            .says("Invalid input");
    };
    for attribute in [
        json!(1),
        json!({}),
        json!({"type": "wtf"}),
        json!({"type": "string", "min": 1}),
        json!({"type": "string", "max_length": 257}),
        json!({"type": "string", "min_length": 6, "max_length": 5}),
        json!({"type": "string", "min_length": "1"}),
        json!({"type": "number", "min": "1"}),
        json!({"type": "number", "min": 2, "max": 1}),
        json!({"type": "bool", "required": 1}),
    ] {
        check(attribute).await;
    }
    app.admin("POST", "/v1/resource_type", json!({"attributes": {}}))
        .await
        .is(400)
        .says("required key not provided");
    let reserved = json!({"name": "t", "attributes": {"creator": {"type": "bool"}}});
    app.admin("POST", "/v1/resource_type", reserved)
        .await
        .is(400)
        .says("Invalid input: Resource attribute name creator is invalid");
}

#[tokio::test]
async fn attributes_are_checked_and_shown() {
    let app = with_type().await;
    let create = async |mut attributes: Value| {
        attributes["id"] = json!("web");
        app.post("/v1/resource/instance", attributes).await
    };
    let check = async |attributes: Value, text: &str| {
        create(attributes).await.is(400).says(text);
    };
    check(json!({}), "required key not provided @ data['host']").await;
    check(
        json!({"host": "h"}),
        "length of value must be at least 2 for dictionary value @ data['host']",
    )
    .await;
    check(
        json!({"host": "longer"}),
        "length of value must be at most 5 for dictionary value @ data['host']",
    )
    .await;
    check(
        json!({"host": null}),
        "expected str for dictionary value @ data['host']",
    )
    .await;
    check(
        json!({"host": "ok", "cores": "4"}),
        "expected Real for dictionary value @ data['cores']",
    )
    .await;
    check(
        json!({"host": "ok", "cores": 0}),
        "value must be at least 1 for dictionary value @ data['cores']",
    )
    .await;
    check(
        json!({"host": "ok", "cores": 65}),
        "value must be at most 64.5 for dictionary value @ data['cores']",
    )
    .await;
    check(
        json!({"host": "ok", "image": "x"}),
        "badly formed hexadecimal UUID string for dictionary value",
    )
    .await;
    check(
        json!({"host": "ok", "public": 1}),
        "expected bool for dictionary value",
    )
    .await;
    check(
        json!({"host": "ok", "built": "x"}),
        "Unable to convert timestamps for dictionary value",
    )
    .await;

    let image = "f93450f2-d8a5-4d67-9985-02511241e7d1";
    let good = json!({"host": "ok", "cores": 4, "image": image.to_uppercase(), "public": true, "built": "2014-01-03"});
    let created = create(good).await.is(201).json();
    assert_eq!(created["type"], "instance");
    assert_eq!(created["image"], image);
    assert_eq!(created["cores"], 4.0);
    assert_eq!(created["built"], "2014-01-03T00:00:00+00:00");
    assert_eq!(
        app.get("/v1/resource/instance/web").await.is(200).json(),
        created
    );
}

#[tokio::test]
async fn through_the_generic_type_attributes_are_hidden() {
    let app = with_type().await;
    app.post("/v1/resource/instance", json!({"id": "web", "host": "ok"}))
        .await
        .is(201);
    app.post("/v1/resource/generic", json!({"id": "plain"}))
        .await
        .is(201);
    assert_eq!(
        app.get("/v1/resource/generic/web")
            .await
            .is(200)
            .json()
            .get("host"),
        None
    );
    app.get("/v1/resource/instance/plain").await.is(404);
    let hosts = async |query: &str| {
        let listed = app
            .get(&format!("/v1/resource/generic?{query}"))
            .await
            .is(200)
            .json();
        listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|resource| resource.get("host").is_some())
            .count()
    };
    assert_eq!(hosts("").await, 0);
    assert_eq!(hosts("details=true").await, 1);
    app.patch("/v1/resource/generic/web", json!({"host": "new"}))
        .await
        .is(400)
        .says("extra keys not allowed");
    let patched = app
        .patch("/v1/resource/instance/web", json!({"host": "new"}))
        .await
        .is(200)
        .json();
    assert_eq!(patched["host"], "new");
    let in_use = "Resource type instance is still in use";
    app.admin("DELETE", "/v1/resource_type/instance", Value::Null)
        .await
        .is(400)
        .says(in_use);
}
