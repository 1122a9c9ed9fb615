//! Measures in the line protocol of InfluxDB.

use serde_json::{Value, json};

use crate::support::{Answer, App, NOW_SECONDS};

const WRITE: &str = "/v1/influxdb/write?db=influxdbtest";

/// Starts with a database, and an archive policy for every metric.
async fn prepared() -> App {
    let app = App::with_policy().await;
    let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    query(&app, "admin", "create database influxdbtest")
        .await
        .is(204);
    app
}

async fn query(app: &App, user: &str, statement: &str) -> Answer {
    let path = format!("/v1/influxdb/query?q={}", statement.replace(' ', "+"));
    app.call("POST", &path).user(user).wants_json().send().await
}

async fn write_as(app: &App, user: &str, path: &str, lines: &str) -> Answer {
    let call = app.call("POST", path).user(user).wants_json();
    call.header("content-type", "text/plain")
        .body(lines.to_owned())
        .send()
        .await
}

async fn write(app: &App, lines: &str) -> Answer {
    write_as(app, "admin", WRITE, lines).await
}

async fn read(app: &App, path: &str) -> Value {
    app.admin("GET", path, Value::Null).await.is(200).json()
}

async fn values(app: &App, resource: &str, metric: &str) -> Vec<(String, f64)> {
    let path = format!("/v1/resource/influxdbtest/{resource}/metric/{metric}/measures");
    let rows = read(app, &path).await;
    let row = |row: &Value| {
        (
            row[0].as_str().unwrap().to_owned(),
            row[2].as_f64().unwrap(),
        )
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn at(second: &str, value: f64) -> (String, f64) {
    (format!("2017-11-13T14:03:{second}+00:00"), value)
}

#[tokio::test]
async fn senders_recognise_a_server() {
    let app = App::new();
    for method in ["GET", "HEAD"] {
        for accept in ["*/*", "application/json", "text/plain"] {
            let call = app
                .call(method, "/v1/influxdb/ping")
                .header("accept", accept);
            let answer = call.send().await.is(204);
            let version = format!("Gnocchi {}", env!("CARGO_PKG_VERSION"));
            assert_eq!(answer.header("x-influxdb-version"), version);
        }
    }
    app.call("GET", "/v1/influxdb/query")
        .user("admin")
        .send()
        .await
        .is(405);
}

#[tokio::test]
async fn a_database_is_a_resource_type() {
    let app = App::new();
    query(&app, "admin", "create database influxdbtest")
        .await
        .is(204);
    query(&app, "admin", "CREATE DATABASE influxdbtest;")
        .await
        .is(204);
    query(&app, "admin", "create database generic")
        .await
        .is(204);
    let expected = json!({"name": "influxdbtest", "attributes": {}, "state": "active"});
    assert_eq!(read(&app, "/v1/resource_type/influxdbtest").await, expected);
    let form = app.call("POST", "/v1/influxdb/query").user("admin");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    form.body("q=CREATE+DATABASE+%22my%20db%22")
        .send()
        .await
        .is(204);
    read(&app, "/v1/resource_type/my%20db").await;
    query(&app, "foobar", "create database other").await.is(403);
    query(
        &app,
        "admin",
        &format!("create database {}", "a".repeat(256)),
    )
    .await
    .is(400);
    app.call("POST", "/v1/influxdb/query")
        .user("admin")
        .send()
        .await
        .is(204);
}

#[tokio::test]
async fn other_statements_are_not_implemented() {
    let answer = query(&App::new(), "admin", "select metrics plz")
        .await
        .is(501);
    let expected =
        json!({"cause": "Not implemented error", "detail": "q", "reason": "Query not implemented"});
    assert_eq!(answer.description(), expected);
}

#[tokio::test]
async fn resources_and_metrics_come_into_being() {
    let app = prepared().await;
    write(
        &app,
        "mymetric,host=foobar,mytag=myvalue field=123 1510581804179554816",
    )
    .await
    .is(204);
    let resource = read(&app, "/v1/resource/influxdbtest/foobar").await;
    assert_eq!(resource["original_resource_id"], "foobar");
    assert_eq!(resource["id"], "b4d568e4-7af1-5aec-ac3f-9c09fa3685a9");
    assert_eq!(resource["type"], "influxdbtest");
    assert_eq!(resource["creator"], "admin");
    assert_eq!(resource["started_at"], "2015-06-06T14:00:00+00:00");
    assert_eq!(
        values(&app, "foobar", "mymetric.field@mytag=myvalue").await,
        [at("24", 123.0)]
    );

    let lines = "mymetric,host=foobar,mytag=myvalue field=123 1510581804179554816\n\
                 cpu,path=/foobar,mytag=myvalue field=43i 1510581804179554816";
    let call = app
        .call("POST", WRITE)
        .user("admin")
        .header("x-gnocchi-influxdb-tag-resource-id", "mytag");
    call.body(lines).send().await.is(204);
    let resource = read(&app, "/v1/resource/influxdbtest/myvalue").await;
    assert_eq!(resource["id"], "6b9e2039-98d0-5d8d-9153-2d7491cf13e5");
    let mut names: Vec<&String> = resource["metrics"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        ["cpu.field@path=_foobar", "mymetric.field@host=foobar"]
    );
    // Further metrics join the resource, whose history does not grow.
    write(&app, "disk,host=foobar free=1,used=2").await.is(204);
    let resource = read(&app, "/v1/resource/influxdbtest/foobar").await;
    assert_eq!(resource["metrics"].as_object().unwrap().len(), 3);
    let history = read(&app, "/v1/resource/influxdbtest/foobar/history").await;
    assert_eq!(history.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_kind_of_value() {
    let app = prepared().await;
    let lines = "# a comment\n\nm,host=h f=1.5,i=-5i,u=1u,t=true,n=F,s=\"a, b\" 1510581804179554816\r\n\
                 m,host=h f=2.5 1510581805179554816\n";
    write(&app, lines).await.is(204);
    assert_eq!(
        values(&app, "h", "m.f").await,
        [at("24", 1.5), at("25", 2.5)]
    );
    for (field, value) in [("i", -5.0), ("u", 1.0), ("t", 1.0), ("n", 0.0)] {
        assert_eq!(
            values(&app, "h", &format!("m.{field}")).await,
            [at("24", value)],
            "{field}"
        );
    }
    let resource = read(&app, "/v1/resource/influxdbtest/h").await;
    assert_eq!(resource["metrics"].as_object().unwrap().len(), 5);
}

#[tokio::test]
async fn times_and_their_units() {
    let app = prepared().await;
    let path = format!("{WRITE}&precision=s");
    write_as(&app, "admin", &path, "m,host=h f=1 1510581804")
        .await
        .is(204);
    write_as(
        &app,
        "admin",
        &format!("{WRITE}&epoch=ms"),
        "m,host=h f=2 1510581805000",
    )
    .await
    .is(204);
    assert_eq!(
        values(&app, "h", "m.f").await,
        [at("24", 1.0), at("25", 2.0)]
    );
    write_as(&app, "admin", &format!("{WRITE}&precision=d"), "")
        .await
        .is(400)
        .says("must be one of n, u, ms, s, m, h");
    // Lines that tell no time get that of the request.
    write(&app, "n,host=h f=1\nn,host=h f=2").await.is(204);
    let now = jiff::Timestamp::from_second(NOW_SECONDS)
        .unwrap()
        .strftime("%Y-%m-%dT%H:%M:%S+00:00");
    assert_eq!(values(&app, "h", "n.f").await, [(now.to_string(), 2.0)]);
    let answer = write(&app, "m,host=h f=1 -1").await.is(400);
    assert_eq!(answer.description()["detail"], "timestamp");
}

#[tokio::test]
async fn nothing_is_stored_of_a_body_with_a_bad_line() {
    let app = prepared().await;
    let answer = write(&app, "m,host=h f=1\n\nm,host=h f=oops").await.is(400);
    let expected =
        json!({"cause": "Value error", "detail": "line", "reason": "Unable to parse line 3"});
    assert_eq!(answer.description(), expected);
    let answer = write(&app, "m,host=h f=1\nm,server=h f=1").await.is(400);
    let expected = json!({"cause": "Value error", "detail": "key", "reason": "Unable to find key `host' in tags"});
    assert_eq!(answer.description(), expected);
    write(&app, "m,host=h f=1\nm,host=a/b f=1")
        .await
        .is(400)
        .says("'/' is not supported in resource id: a/b");
    write(&app, &format!("m,host={} f=1", "a".repeat(290)))
        .await
        .is(400)
        .says("transformable resource id >289");
    write(&app, &format!("m,host=h {}=1", "a".repeat(254)))
        .await
        .is(400)
        .says("line 1: the name of its metric is too long");
    assert_eq!(read(&app, "/v1/resource/influxdbtest").await, json!([]));
    for lines in ["", "\n\n", "# nothing", "m,host=h f=\"text\""] {
        write(&app, lines).await.is(204);
    }
}

#[tokio::test]
async fn a_database_must_exist_and_hold_the_resource() {
    let app = prepared().await;
    let lines = "mymetric,host=conflict,mytag=myvalue field=123 1510581804179554816";
    let missing = write_as(&app, "admin", "/v1/influxdb/write?db=zz", lines).await;
    missing.is(404).says("Resource type zz does not exist");
    let missing = write_as(&app, "admin", "/v1/influxdb/write", lines).await;
    missing
        .is(404)
        .says("Resource type influxdb does not exist");
    app.admin("POST", "/v1/resource/generic", json!({"id": "conflict"}))
        .await
        .is(201);
    let answer = write(&app, lines).await.is(409);
    assert_eq!(answer.json()["title"], "Conflict");
    let expected = json!({"cause": "Resource already exists", "detail": "da19a545-af76-5081-9a88-f370baab66c6"});
    assert_eq!(answer.description(), expected);
    // A metric of that name makes no difference.
    write_as(&app, "admin", "/v1/influxdb/write?db=generic", lines)
        .await
        .is(204);
    write(&app, lines).await.is(409);
    // The type asks for more than a line can give.
    let strict = json!({"name": "strict", "attributes": {"flavor": {"type": "string"}}});
    app.admin("POST", "/v1/resource_type", strict).await.is(201);
    let refused = write_as(
        &app,
        "admin",
        "/v1/influxdb/write?db=strict",
        "m,host=h f=1",
    )
    .await;
    refused.is(400).says("attribute flavor is required");
}

#[tokio::test]
async fn policies_and_rights_are_asked() {
    let app = App::with_policy().await;
    query(&app, "admin", "create database influxdbtest")
        .await
        .is(204);
    let no_rule = write(&app, "m,host=h f=1").await.is(400);
    no_rule.says("no archive policy rule found matching the metric name m.f");
    assert_eq!(read(&app, "/v1/resource/influxdbtest").await, json!([]));
    let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    let id = "f93450f2-d8a5-4d67-9985-02511241e7d1";
    write_as(&app, "foobar", WRITE, &format!("m,host={id} f=1"))
        .await
        .is(204);
    // Neither a new metric on the resource of somebody else nor measures for his.
    write_as(&app, "foobaz", WRITE, &format!("m,host={id} f=1"))
        .await
        .is(403);
    write_as(&app, "foobaz", WRITE, &format!("m,host={id} g=1"))
        .await
        .is(403);
    // The same name is another resource to him.
    write_as(&app, "foobar", WRITE, "m,host=web f=1")
        .await
        .is(204);
    write_as(&app, "foobaz", WRITE, "m,host=web f=1")
        .await
        .is(204);
    assert_eq!(
        read(&app, "/v1/resource/influxdbtest")
            .await
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn two_spellings_of_a_resource_are_one() {
    let app = prepared().await;
    let id = "f93450f2-d8a5-4d67-9985-02511241e7d1";
    let upper = id.to_uppercase();
    let lines =
        format!("m,host={id} f=1 1510581804179554816\nm,host={upper} f=2 1510581805179554816");
    write(&app, &lines).await.is(204);
    assert_eq!(
        values(&app, id, "m.f").await,
        [at("24", 1.0), at("25", 2.0)]
    );
}

#[tokio::test]
async fn bodies_in_chunks_are_one() {
    let app = prepared().await;
    let pieces = [
        "m,ho",
        "st=h f=1 1510581804179554816\nm,host=h f",
        "=2 1510581805179554816",
    ];
    let pieces = pieces.map(Ok::<_, std::io::Error>);
    let body = axum::body::Body::from_stream(futures::stream::iter(pieces));
    app.call("POST", WRITE)
        .user("admin")
        .body(body)
        .send()
        .await
        .is(204);
    assert_eq!(values(&app, "h", "m.f").await.len(), 2);
}

#[tokio::test]
async fn an_unknown_database_is_the_better_reason() {
    let app = prepared().await;
    write(&app, "m,host=h f=1").await.is(204);
    let unknown = app
        .call("POST", "/v1/influxdb/write?db=nodb")
        .user("foobar");
    let answer = unknown.body("m,host=h f=1").send().await;
    answer.is(404).says("Resource type nodb does not exist");
}

#[tokio::test]
async fn there_are_limits() {
    let app = prepared().await;
    let lines = |count: usize, line: &dyn Fn(usize) -> String| {
        (0..count).map(line).collect::<Vec<_>>().join("\n")
    };
    let points = lines(1001, &|at| format!("m,host=h f=1 {at}"));
    write(&app, &points)
        .await
        .is(413)
        .says("more points than the limit of 1000");
    let metrics = lines(501, &|at| format!("m,host=h f{at}=1"));
    write(&app, &metrics)
        .await
        .is(413)
        .says("more metrics than the limit of 500");
    write(&app, &" ".repeat(100_001)).await.is(413);
}

/// Many senders begin at the same time with the same resource.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_creation_is_no_error() {
    let app = prepared().await;
    let writes = (0..20).map(|sender: usize| {
        let app = app.clone();
        tokio::spawn(async move {
            let lines = format!(
                "m,host=h f=1 {}000000000\nm,host=h g{}=1",
                sender % 10,
                sender % 3
            );
            write(&app, &lines).await.is(204);
        })
    });
    futures::future::try_join_all(writes).await.unwrap();
    let resource = read(&app, "/v1/resource/influxdbtest/h").await;
    assert_eq!(resource["metrics"].as_object().unwrap().len(), 4);
    // None is older than the back window, in whatever order they come.
    assert_eq!(values(&app, "h", "m.f").await.len(), 10);
}
