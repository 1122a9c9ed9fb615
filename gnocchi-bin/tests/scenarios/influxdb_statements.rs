//! Statements that senders for InfluxDB execute: databases are made and listed.

use serde_json::json;

use crate::influxdb::{error, query, read};
use crate::support::App;

#[tokio::test]
async fn a_database_is_a_resource_type() {
    let app = App::new();
    for statement in [
        "create database influxdbtest",
        "CREATE DATABASE influxdbtest;",
        "create database if not exists influxdbtest",
        "CREATE DATABASE influxdbtest WITH DURATION 30d REPLICATION 1 NAME \"x\"",
        "create database generic",
    ] {
        let answer = query(&app, "admin", statement).await.is(200);
        assert_eq!(answer.json(), json!({"results": [{"statement_id": 0}]}));
    }
    let expected = json!({"name": "influxdbtest", "attributes": {}, "state": "active"});
    assert_eq!(read(&app, "/v1/resource_type/influxdbtest").await, expected);
    let form = app.call("POST", "/v1/influxdb/query").user("admin");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    form.body("q=CREATE+DATABASE+%22my%20db%22")
        .send()
        .await
        .is(200);
    read(&app, "/v1/resource_type/my%20db").await;
    query(&app, "foobar", "create database other").await.is(403);
    let long = format!("create database {}", "a".repeat(256));
    query(&app, "admin", &long).await.is(400);
    for form in ["q=%00", "q=%ff"] {
        let call = app.call("POST", "/v1/influxdb/query").user("admin");
        call.body(form).send().await.is(400);
    }
    app.call("POST", "/v1/influxdb/query")
        .user("admin")
        .send()
        .await
        .is(204);
}

/// Clients of the Python Gnocchi expect no body, and say that theirs is JSON.
#[tokio::test]
async fn who_announces_json_gets_no_body() {
    let app = App::new();
    let create = async |accept: &str| {
        let call = app
            .call("POST", "/v1/influxdb/query?q=create+database+a")
            .user("admin");
        let call = call.header("content-type", "application/json");
        call.header("accept", accept).send().await.status.as_u16()
    };
    assert_eq!(create("*/*").await, 204);
    assert_eq!(create("application/json").await, 204);
    assert_eq!(create("application/x-msgpack").await, 200);
}

#[tokio::test]
async fn databases_are_listed() {
    let app = App::new();
    query(&app, "admin", "create database \"b a\"")
        .await
        .is(200);
    let expected = json!({"results": [{"statement_id": 0, "series": [
        {"name": "databases", "columns": ["name"], "values": [["b a"], ["generic"]]}
    ]}]});
    for method in ["GET", "POST"] {
        let call = app
            .call(method, "/v1/influxdb/query?q=SHOW+DATABASES")
            .user("foobar");
        assert_eq!(call.send().await.is(200).json(), expected, "{method}");
    }
    // Nothing else is asked by GET.
    for (address, status) in [
        ("/v1/influxdb/query", 405),
        ("/v1/influxdb/query?q=create+database+x", 405),
        ("/v1/influxdb/query?q=select+*+from+x", 501),
    ] {
        let answer = app.call("GET", address).user("admin").send().await;
        assert_eq!(answer.status, status, "{address}");
        if status == 405 {
            assert_eq!(answer.header("allow"), "POST");
        }
    }
}

#[tokio::test]
async fn other_statements_are_not_implemented() {
    let answer = query(&App::new(), "admin", "select metrics plz")
        .await
        .is(501);
    let expected =
        json!({"cause": "Not implemented error", "detail": "q", "reason": "Query not implemented"});
    assert_eq!(answer.description(), expected);
    assert_eq!(
        error(&answer),
        "Not implemented error: q: Query not implemented"
    );
}
