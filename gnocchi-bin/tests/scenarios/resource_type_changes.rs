//! JSON patches of resource types, and what becomes of the resources.

use serde_json::{Value, json};

use crate::support::{Answer, App};

const TYPE: &str = "/v1/resource_type/server";
const ID: &str = "d11edfca-4393-4fda-b94d-b05a3a1b3747";

async fn patch(app: &App, path: &str, operations: &Value) -> Answer {
    let call = app.call("PATCH", path).user("admin").wants_json();
    let call = call.header("content-type", "application/json-patch+json");
    call.body(operations.to_string()).send().await
}

fn add(name: &str, definition: &Value) -> Value {
    json!({"op": "add", "path": format!("/attributes/{name}"), "value": definition})
}

fn remove(name: &str) -> Value {
    json!({"op": "remove", "path": format!("/attributes/{name}")})
}

/// A store with a type and a resource of it that has a past revision.
async fn prepared() -> App {
    let app = App::new();
    let host = json!({"type": "string", "required": true, "max_length": 9});
    let zone = json!({"type": "string", "required": false});
    let server = json!({"name": "server", "attributes": {"host": host, "zone": zone}});
    app.admin("POST", "/v1/resource_type", server).await.is(201);
    app.post("/v1/resource/server", json!({"id": ID, "host": "before"}))
        .await
        .is(201);
    app.patch(
        &format!("/v1/resource/server/{ID}"),
        json!({"host": "after"}),
    )
    .await
    .is(200);
    app
}

/// The values of an attribute in all revisions, oldest first.
async fn values(app: &App, attribute: &str) -> Vec<Value> {
    let history = format!("/v1/resource/server/{ID}/history?sort=revision_end:asc-nullslast");
    let revisions = app.get(&history).await.is(200).json();
    let revisions = revisions.as_array().unwrap().iter();
    revisions
        .map(|revision| revision[attribute].clone())
        .collect()
}

#[tokio::test]
async fn attributes_come_and_go_with_their_values() {
    let app = prepared().await;
    let fills = [
        (
            "text",
            json!({"type": "string", "options": {"fill": "x"}}),
            json!("x"),
        ),
        (
            "number",
            json!({"type": "number", "options": {"fill": 15}}),
            json!(15.0),
        ),
        (
            "flag",
            json!({"type": "bool", "options": {"fill": true}}),
            json!(true),
        ),
        (
            "uuid",
            json!({"type": "uuid", "options": {"fill": "00000000000000000000000000000000"}}),
            json!("00000000-0000-0000-0000-000000000000"),
        ),
        (
            "moment",
            json!({"type": "datetime", "options": {"fill": "2017-10-10T10:10:10Z"}}),
            json!("2017-10-10T10:10:10+00:00"),
        ),
        (
            "optional",
            json!({"type": "bool", "required": false}),
            Value::Null,
        ),
    ];
    let operations: Vec<Value> = fills
        .iter()
        .map(|(name, definition, _)| add(name, definition))
        .chain([remove("zone")])
        .collect();
    let changed = patch(&app, TYPE, &json!(operations)).await.is(200).json();
    assert_eq!(changed["state"], "active");
    assert_eq!(
        changed["attributes"]["flag"],
        json!({"type": "bool", "required": true})
    );
    assert!(changed["attributes"].get("zone").is_none());
    assert_eq!(app.get(TYPE).await.json(), changed);
    for (name, _, filled) in fills {
        assert_eq!(values(&app, name).await, [filled.clone(), filled], "{name}");
    }
    assert_eq!(values(&app, "host").await, ["before", "after"]);
    let resource = app.get(&format!("/v1/resource/server/{ID}")).await.json();
    assert!(resource.get("zone").is_none());
}

#[tokio::test]
async fn an_attribute_that_becomes_required_keeps_its_values() {
    let app = prepared().await;
    app.patch(
        &format!("/v1/resource/server/{ID}"),
        json!({"zone": "east"}),
    )
    .await
    .is(200);
    let required = json!({"type": "string", "required": true, "options": {"fill": "west"}});
    patch(&app, TYPE, &json!([add("zone", &required)]))
        .await
        .is(200);
    assert_eq!(values(&app, "zone").await, ["west", "west", "east"]);
    let missing = json!({"id": "other", "host": "a"});
    app.post("/v1/resource/server", missing).await.is(400);
}

#[tokio::test]
async fn texts_that_are_there_must_fit() {
    let app = prepared().await;
    let up_to = |max_length: u32| {
        let value = json!({"type": "string", "max_length": max_length, "options": {"fill": ""}});
        json!([add("host", &value)])
    };
    let refused = patch(&app, TYPE, &up_to(5)).await.is(400);
    assert_eq!(
        refused.description(),
        format!(
            "Invalid input: Resource attribute host of resource {ID} is longer than max_length 5"
        )
    );
    assert_eq!(
        app.get(TYPE).await.json()["attributes"]["host"]["max_length"],
        9
    );
    patch(&app, TYPE, &up_to(6)).await.is(200);
    app.patch(
        &format!("/v1/resource/server/{ID}"),
        json!({"host": "toolong"}),
    )
    .await
    .is(400);
}

#[tokio::test]
async fn order_counts_and_nothing_is_half_done() {
    let app = prepared().await;
    let before = app.get(TYPE).await.json();
    let flag = json!({"type": "bool", "required": false});
    let check = async |operations: Value, status: u16| {
        let answer = patch(&app, TYPE, &operations).await.is(status);
        assert_eq!(app.get(TYPE).await.json(), before);
        answer
    };
    assert_eq!(check(json!([]), 200).await.json(), before);
    check(json!([add("new", &flag), remove("new")]), 200).await;
    check(json!([remove("new"), add("new", &flag)]), 400)
        .await
        .says("can't remove a non-existent object 'new'");
    check(json!([add("new", &flag), remove("none")]), 400).await;
    check(json!([add("new", &flag), add("host", &flag)]), 400)
        .await
        .says("Type update is not available yet. Changing string to bool for attribute host of resource server");
    check(
        json!([{"op": "replace", "path": "/attributes/host", "value": flag}]),
        400,
    )
    .await;
    check(json!([{"op": "add", "path": "/attributes/new"}]), 400)
        .await
        .says("The operation does not contain a 'value' member");
    assert_eq!(values(&app, "host").await, ["before", "after"]);
}

#[tokio::test]
async fn all_attributes_can_go() {
    let app = prepared().await;
    let all = json!([{"op": "remove", "path": "/attributes"}]);
    let changed = patch(&app, TYPE, &all).await.is(200).json();
    assert_eq!(changed["attributes"], json!({}));
    assert_eq!(values(&app, "host").await, [Value::Null, Value::Null]);
}

#[tokio::test]
async fn what_is_refused_before_the_patch_is_read() {
    let app = prepared().await;
    let refused = app.call("PATCH", TYPE).user("admin").raw_json("[]").await;
    let text = "the content type application/json; its body must be announced as application/json-patch+json";
    refused.is(415).says(text);
    let refused = app.call("PATCH", TYPE).user("foobar").raw_json("[]").await;
    refused.is(403);
    patch(&app, "/v1/resource_type/none", &json!([]))
        .await
        .is(404);
    let flag = json!({"type": "bool", "required": false});
    let generic = "/v1/resource_type/generic";
    patch(&app, generic, &json!([add("new", &flag)]))
        .await
        .is(400)
        .says("Resource type generic cannot have attributes");
    patch(&app, generic, &json!([])).await.is(200);
}
