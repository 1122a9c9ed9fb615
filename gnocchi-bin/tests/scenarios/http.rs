//! HTTP itself: `HEAD`, compression, names of requests, load balancers, mounting.

use std::io::{Read, Write};
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use gnocchi_server::api::{self, ApiSettings, ApiState, HealthcheckSettings};
use serde_json::{Value, json};

use crate::support::{App, settings};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unzip(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

fn with_settings(settings: ApiSettings) -> App {
    let app = App::new();
    let state = ApiState::new(app.gnocchi.clone(), settings, None);
    App {
        router: api::router(state),
        ..app
    }
}

#[tokio::test]
async fn what_can_be_read_can_be_read_without_its_body() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    for path in [
        "/",
        "/v1/",
        "/v1",
        "/v1/capabilities",
        "/v1/archive_policy",
        "/v1/archive_policy/second",
        &format!("/v1/metric/{metric}"),
        &format!("/v1/metric/{metric}/measures"),
        "/v1/archive_policy/none",
        "/v1/none",
    ] {
        let send = async |method| {
            app.call(method, path)
                .user("foobar")
                .wants_json()
                .send()
                .await
        };
        let (get, head) = (send("GET").await, send("HEAD").await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.text(), "", "{path}");
        for name in ["content-type", "content-length", "location"] {
            assert_eq!(
                head.headers.get(name),
                get.headers.get(name),
                "{name} of {path}"
            );
        }
    }
    let head = app
        .call("HEAD", "/v1/batch/metrics/measures")
        .user("foobar");
    let refused = head.send().await.is(405);
    assert_eq!(refused.header("allow"), "POST");
    app.call("HEAD", "/v1/archive_policy").send().await.is(401);
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_want_it() {
    let app = App::new();
    let ask = async |path: &str, accepts: Option<&str>| {
        let mut call = app.call("GET", path);
        if let Some(accepts) = accepts {
            call = call.header("accept-encoding", accepts);
        }
        call.send().await.is(200)
    };
    let path = "/v1/capabilities";
    let plain = ask(path, None).await;
    assert!(!plain.headers.contains_key("content-encoding"));
    for accepts in ["gzip", "gzip, deflate", "br, gzip;q=0.5"] {
        let compressed = ask(path, Some(accepts)).await;
        assert_eq!(compressed.header("content-encoding"), "gzip", "{accepts}");
        assert!(compressed.body.len() < plain.body.len() / 2);
        assert_eq!(unzip(&compressed.body), plain.body);
        let varies = compressed.headers.get_all("vary").iter();
        assert!(varies.into_iter().any(|value| value == "accept-encoding"));
    }
    for accepts in ["", "identity", "br", "gzip;q=0"] {
        let answer = ask(path, Some(accepts)).await;
        assert!(
            !answer.headers.contains_key("content-encoding"),
            "{accepts}"
        );
    }
    let short = ask("/", Some("gzip")).await;
    assert!(!short.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn bodies_may_be_compressed() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let path = format!("/v1/metric/{metric}/measures");
    let send = async |coding: &str, bytes: Vec<u8>| {
        let call = app.call("POST", &path).user("foobar").wants_json();
        call.header("content-encoding", coding)
            .raw_json(bytes)
            .await
    };
    let measures = br#"[{"timestamp": 1, "value": 1}, {"timestamp": 2, "value": 2}]"#;
    send("gzip", gzip(measures)).await.is(202);
    send("identity", measures.to_vec()).await.is(202);
    let read = app.get(&path).await.is(200).json();
    assert_eq!(read.as_array().unwrap().len(), 2);

    send("br", measures.to_vec())
        .await
        .is(415)
        .says("encoded as br; only gzip is supported");
    let broken = send("gzip", measures.to_vec()).await.is(400);
    assert_eq!(broken.description()["cause"], "Unable to decode body");
    // A hundred kilobytes are allowed, and these become ten megabytes.
    let bomb = gzip(&vec![b' '; 10 << 20]);
    assert!(bomb.len() < 20_000);
    send("gzip", bomb)
        .await
        .is(413)
        .says("limit of 100000 bytes after decompression ([api] body_bytes_max)");
    app.call("POST", &path)
        .header("content-encoding", "br")
        .raw_json("[]")
        .await
        .is(401);
}

#[tokio::test]
async fn every_request_has_a_name() {
    let app = App::new();
    let given = app.call("GET", "/v1/none").header("x-request-id", "abc-1");
    let answer = given.send().await.is(404);
    assert_eq!(answer.header("x-request-id"), "abc-1");
    assert!(!answer.headers.contains_key("x-openstack-request-id"));
    let given = app
        .call("GET", "/v1/none")
        .header("x-openstack-request-id", "req-1");
    let answer = given.send().await.is(404);
    assert_eq!(answer.header("x-request-id"), "req-1");
    assert_eq!(answer.header("x-openstack-request-id"), "req-1");
    for (method, path) in EVERYWHERE {
        let answer = app.call(method, path).send().await;
        assert!(answer.header("x-request-id").starts_with("req-"));
        assert!(!answer.headers.contains_key("x-openstack-request-id"));
    }
}

/// Responses of every layer: a document, the one to a preflight request, a probe, errors of handlers and of the router.
const EVERYWHERE: [(&str, &str); 6] = [
    ("GET", "/"),
    ("OPTIONS", "/"),
    ("GET", "/healthcheck"),
    ("GET", "/v1/metric"),
    ("PUT", "/v1/metric"),
    ("GET", "/nowhere"),
];

#[tokio::test]
async fn every_response_says_who_sent_it_and_is_what_it_says() {
    let app = App::new();
    for (method, path) in EVERYWHERE {
        let answer = app.call(method, path).send().await;
        let server = concat!("gnocchi-rs/", env!("CARGO_PKG_VERSION"));
        assert_eq!(answer.header("server"), server, "{method} {path}");
        let options = answer.header("x-content-type-options");
        assert_eq!(options, "nosniff", "{method} {path}");
    }
    let versions = app.call("GET", "/").send().await.is(200).json();
    // What ceilometer and the data source of Grafana compare.
    assert_eq!(versions["build"], "4.7.1");
    assert_eq!(versions["server"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_header_that_must_be_unique_is_not_repeated() {
    let app = App::new();
    let twice = app.call("GET", "/v1/metric").user("foobar").user("admin");
    twice
        .send()
        .await
        .is(400)
        .says("more than one authorization header");
    let twice = app.call("GET", "/v1/metric").header("host", "example.com");
    let twice = twice.user("foobar").wants_json().send().await.is(400);
    assert_eq!(
        twice.description(),
        "The request has more than one host header"
    );
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_act_for_its_visitor() {
    let app = App::new();
    let create = async |origin: &str, site: Option<&str>| {
        let call = app.call("POST", "/v1/influxdb/query?q=create+database+pages");
        let mut call = call.user("admin").header("origin", origin);
        if let Some(site) = site {
            call = call.header("sec-fetch-site", site);
        }
        let form = "application/x-www-form-urlencoded";
        call.header("content-type", form).send().await
    };
    create("http://evil.example", None)
        .await
        .is(403)
        .says("[cors] allowed_origin");
    create("http://example.org", Some("same-site"))
        .await
        .is(403);
    let exists = async || app.get("/v1/resource_type/pages").await.status.as_u16();
    assert_eq!(exists().await, 404);
    // Allowed by the configuration.
    create("http://foobar.com", Some("cross-site"))
        .await
        .is(200);
    assert_eq!(exists().await, 200);
}

#[tokio::test]
async fn measures_are_streamed_when_there_are_many() {
    let settings = ApiSettings {
        points_max: 100_000,
        body_bytes_max: 10_000_000,
        ..settings()
    };
    let app = with_settings(settings);
    app.create_policy().await;
    let metric = app.create_metric().await;
    let path = format!("/v1/metric/{metric}/measures");
    let points = |count: i64| {
        let points = (0..count).map(|second| json!({"timestamp": second, "value": second}));
        Value::Array(points.collect())
    };
    app.post(&path, points(100)).await.is(202);
    let few = app.get(&path).await.is(200);
    assert_eq!(few.header("content-length"), few.body.len().to_string());
    app.post(&path, points(20_000)).await.is(202);
    let many = app.get(&path).await.is(200);
    assert!(!many.headers.contains_key("content-length"));
    assert_eq!(many.header("content-type"), "application/json");
    let rows = many.json();
    assert_eq!(rows.as_array().unwrap().len(), 20_000);
    assert_eq!(
        rows[19_999],
        json!(["1970-01-01T05:33:19+00:00", 1.0, 19_999.0])
    );
    let call = app.call("GET", &path).user("foobar");
    let compressed = call.header("accept-encoding", "gzip").send().await.is(200);
    assert_eq!(unzip(&compressed.body), many.body);
}

#[tokio::test]
async fn documents_are_refused_that_would_take_too_much_memory() {
    let app = with_settings(ApiSettings {
        body_bytes_max: 64 << 20,
        ..settings()
    });
    let send = |text: String| {
        let call = app.call("POST", "/v1/metric").user("foobar");
        let call = call.header("content-encoding", "gzip");
        call.raw_json(gzip(text.as_bytes()))
    };
    // Six kilobytes that would take hundreds of megabytes.
    let objects = format!("[{}0]", r#"{"":0},"#.repeat(500_000));
    let refused = send(objects).await.is(413);
    refused
        .says("so many values")
        .says("expected at most 167772160");
    let spaces = send(" ".repeat((4 << 20) + 1)).await.is(413);
    spaces.says("limit of 4194304 bytes after decompression for requests of this kind");
    send(format!("[{}0]", "0,".repeat(50_000))).await.is(400);
}

#[tokio::test]
async fn load_balancers_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("out-of-service");
    let healthcheck = HealthcheckSettings {
        disabled_by: vec![file.clone()],
        ..HealthcheckSettings::default()
    };
    let app = with_settings(ApiSettings {
        healthcheck,
        ..settings()
    });
    let ask = async |method| app.call(method, "/healthcheck").wants_json().send().await;
    ask("GET").await.is(200);
    ask("HEAD").await.is(204);
    std::fs::write(&file, "").unwrap();
    let answer = ask("GET").await.is(503);
    assert_eq!(
        answer.json(),
        json!({"detailed": false, "reasons": ["DISABLED BY FILE"]})
    );
    assert_eq!(ask("HEAD").await.is(503).text(), "");
}

#[tokio::test]
async fn health_may_be_for_some_addresses_only() {
    let healthcheck = HealthcheckSettings {
        allowed_source_ranges: vec!["192.0.2.0/24".parse().unwrap()],
        ..HealthcheckSettings::default()
    };
    let app = with_settings(ApiSettings {
        healthcheck,
        ..settings()
    });
    app.call("GET", "/healthcheck").send().await.is(404);
    for (address, status) in [("192.0.2.7:1", 200), ("192.0.3.7:1", 404)] {
        let peer: SocketAddr = address.parse().unwrap();
        let router = app.router.clone().layer(axum::Extension(ConnectInfo(peer)));
        let app = App {
            router,
            ..app.clone()
        };
        app.call("GET", "/healthcheck").send().await.is(status);
    }
}

#[tokio::test]
async fn slashes_that_are_too_many_do_not_count() {
    let app = App::with_policy().await;
    let read = async |path: &str| app.get(path).await.is(200).json();
    let policy = read("/v1/archive_policy/second").await;
    assert_eq!(read("/v1/archive_policy//second").await, policy);
    assert_eq!(read("//v1///archive_policy/second").await, policy);
    assert_eq!(
        read("/v1//capabilities//?a=//b").await,
        read("/v1/capabilities").await
    );
    let mounted = App {
        router: Router::new().nest("/gnocchi", app.router.clone()),
        ..app
    };
    let body = json!({"archive_policy_name": "second"});
    let created = mounted.post("/gnocchi//v1//metric", body).await.is(201);
    let location = created.header("location");
    assert!(
        location.starts_with("http://example.org/gnocchi/v1/metric/"),
        "{location}"
    );
}

#[tokio::test]
async fn everything_works_under_a_prefix() {
    let app = App::with_policy().await;
    for _ in 0..8 {
        app.create_metric().await;
    }
    let app = App {
        router: Router::new().nest_service("/tsdb/gnocchi", app.router.clone()),
        ..app
    };
    let base = "http://example.org/tsdb/gnocchi";
    for root in ["/tsdb/gnocchi", "/tsdb/gnocchi/"] {
        let answer = app.call("GET", root).send().await;
        assert_eq!(answer.status, 200, "{root}");
        let versions = answer.json();
        let href = &versions["versions"][0]["links"][0]["href"];
        assert_eq!(*href, format!("{base}/v1/"), "{root}");
    }
    let redirect = app.call("GET", "/tsdb/gnocchi/v1").send().await.is(302);
    assert_eq!(redirect.header("location"), format!("{base}/v1/"));
    let page = app.get("/tsdb/gnocchi/v1/metric?limit=3").await.is(200);
    let link = page.header("link");
    assert!(
        link.starts_with(&format!("<{base}/v1/metric?limit=3&marker=")),
        "{link}"
    );
    let next = link
        .trim_start_matches("<http://example.org")
        .split('>')
        .next()
        .unwrap();
    let second = app.get(next).await.is(200).json();
    assert_eq!(second.as_array().unwrap().len(), 3);
    let created = app
        .post("/tsdb/gnocchi/v1/resource/generic", json!({"id": "a b"}))
        .await;
    let location = created.is(201).header("location").to_owned();
    assert!(
        location.starts_with(&format!("{base}/v1/resource/generic/")),
        "{location}"
    );
    let proxied = app
        .call("GET", "/tsdb/gnocchi/v1/metric?limit=3")
        .user("foobar");
    let proxied = proxied.header("x-forwarded-prefix", "/outer").send().await;
    let link = proxied.is(200).header("link").to_owned();
    assert!(
        link.starts_with("<http://example.org/outer/tsdb/gnocchi/v1/metric?"),
        "{link}"
    );
}
