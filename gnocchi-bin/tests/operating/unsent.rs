//! Responses that their clients do not take count as memory of queries.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

use crate::support::{Client, PATIENCE, Server, write};

/// How much memory queries may hold here, in MiB, and in bytes.
const MEMORY_MIB: u64 = 6;
const MEMORY_BYTES: u64 = MEMORY_MIB << 20;

/// Points of the metric: more than are rendered before they are sent.
const POINTS: usize = 20_000;

/// Points of a long response that is rendered as a whole.
const RENDERED: usize = 8000;

/// Metrics that are listed.
const METRICS: usize = 1000;

const START: usize = 1_700_000_000;

const CONNECTIONS: usize = 2;
const REQUESTS_PER_CONNECTION: usize = 40;

/// Connections that never allow the server to send a byte of a body.
struct Closed {
    unread: Vec<Response<Incoming>>,
    senders: Vec<http2::SendRequest<Full<Bytes>>>,
}

impl Closed {
    async fn open(server: &Server) -> Self {
        let mut senders = Vec::new();
        for _ in 0..CONNECTIONS {
            let address = server.url.trim_start_matches("http://");
            let stream = TcpStream::connect(address).await.unwrap();
            let handshake = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(0)
                .handshake(TokioIo::new(stream));
            let (sender, connection) = handshake.await.unwrap();
            tokio::spawn(connection);
            senders.push(sender);
        }
        Self {
            unread: Vec::new(),
            senders,
        }
    }

    /// Sends requests until one is refused, which must be before all are sent, and returns how many were not.
    async fn ask(&mut self, server: &Server, method: Method, path: &str, body: &str) -> usize {
        for sender in &mut self.senders {
            for _ in 0..REQUESTS_PER_CONNECTION {
                let request = Request::builder()
                    .method(method.clone())
                    .uri(format!("{}{path}", server.url))
                    .header("authorization", "Basic YWRtaW46")
                    .header("content-type", "application/json")
                    .body(Full::from(body.to_owned()))
                    .unwrap();
                let response = sender.send_request(request).await.unwrap();
                if response.status() == 503 {
                    assert!(response.headers().contains_key("retry-after"), "{path}");
                    return self.unread.len();
                }
                assert_eq!(response.status(), 200, "{path}");
                self.unread.push(response);
            }
        }
        panic!("nothing is refused: {path}");
    }
}

async fn held_bytes(client: &Client) -> u64 {
    let text = client.text("/metrics").await;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("gnocchi_query_memory_bytes "));
    line.unwrap().parse().unwrap()
}

/// Fills the memory with responses of one kind, each of which holds at least so much.
async fn check(server: &Server, metric: &str, path: &str, least_bytes: u64) {
    let client = server.client();
    let mut closed = Closed::open(server).await;
    let unread = closed.ask(server, Method::GET, path, "").await as u64;
    let held = held_bytes(&client).await;
    assert!(unread > 0, "{path}");
    assert!(
        (unread * least_bytes..=MEMORY_BYTES).contains(&held),
        "{path}: {unread} responses hold {held} bytes"
    );
    // Long responses are refused to all clients, and short ones to none.
    let refused = client.send("GET", path, &Value::Null).await;
    assert_eq!(refused.status, 503, "{path}");
    assert!(refused.text.contains("[api] query_memory_bytes"), "{path}");
    let stop = START + 10;
    let short = format!("/v1/metric/{metric}/measures?stop={stop}");
    assert_eq!(client.get(&short).await.as_array().unwrap().len(), 10);

    drop(closed);
    let began = Instant::now();
    while held_bytes(&client).await > 0 {
        assert!(began.elapsed() < PATIENCE, "{path}: memory stays held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(client.send("GET", path, &Value::Null).await.status, 200);
}

/// Fills the memory with reports of changes, which are never refused once the change is made.
async fn check_reports(server: &Server, metric: &str, path: &str) {
    let client = server.client();
    let mut closed = Closed::open(server).await;
    let change = r#"{"user_id": "them"}"#;
    let unread = closed.ask(server, Method::PATCH, path, change).await;
    let held = held_bytes(&client).await;
    let report = held / unread as u64;
    let end = MEMORY_BYTES + MEMORY_BYTES / 2 + report;
    assert!((MEMORY_BYTES * 3 / 2..=end).contains(&held), "{held} bytes");
    // Measures are still taken.
    let measures = json!([{"timestamp": START, "value": 1}]);
    let path = format!("/v1/metric/{metric}/measures");
    client.create(&path, &measures).await;
    drop(closed);
    let began = Instant::now();
    while held_bytes(&client).await > 0 {
        assert!(began.elapsed() < PATIENCE, "memory stays held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_do_not_take_is_held_within_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let options = format!("[api]\nquery_memory_bytes = {MEMORY_MIB}M\n");
    let file = write(directory.path(), "gnocchi.conf", &options);
    let server = Server::start(&directory.path().join("data"), &["--config-file", &file]);
    let client = server.client();
    let policy = json!({"name": "fine", "aggregation_methods": ["mean"], "definition": [{"granularity": 1, "timespan": 100_000_000}]});
    client.create("/v1/archive_policy", &policy).await;
    let created = client
        .create("/v1/metric", &json!({"archive_policy_name": "fine"}))
        .await;
    let metric = created["id"].as_str().unwrap();
    let measures = format!("/v1/metric/{metric}/measures");
    let points: Value = (0..POINTS)
        .map(|index| json!({"timestamp": START + index, "value": index % 977}))
        .collect();
    client.create(&measures, &points).await;
    let metrics: Map<String, Value> = (0..METRICS)
        .map(|place| {
            (
                format!("{}{place}", "m".repeat(200)),
                json!({"archive_policy_name": "fine"}),
            )
        })
        .collect();
    let wide = json!({"id": "wide", "metrics": metrics});
    client.create("/v1/resource/generic", &wide).await;

    let rendered = format!("{measures}?stop={}", START + RENDERED);
    check(&server, metric, &rendered, 40 * RENDERED as u64).await;
    check(&server, metric, &measures, 16 * POINTS as u64).await;
    for listing in [
        "/v1/metric?limit=1000",
        "/v1/resource/generic/wide/metric",
        "/v1/resource/generic",
        "/v1/resource/generic/wide",
    ] {
        check(&server, metric, listing, 40 * METRICS as u64).await;
    }
    check_reports(&server, metric, "/v1/resource/generic/wide").await;
    server.kill();
}
