//! Remote write of Prometheus.

use std::sync::Arc;

use gnocchi_core::driver::SACKS_DEFAULT;
use gnocchi_core::memory::MemoryIncoming;
use gnocchi_core::{Drivers, Settings};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde_json::{Value, json};

use crate::remote_write::{self, Sample, TimeSeries};
use crate::support::{Answer, App, drivers, remote_write_body};

const BY_NAME: &str = "/v1/prometheus/write";
const BY_LABELS: &str = "/api/v1/write";

/// A series with one sample at second 1506146578, from labels as Prometheus writes them: `name k=v k=v`.
fn series(labels: &str, value: f64) -> TimeSeries {
    let (name, labels) = labels.split_once(' ').unwrap_or((labels, ""));
    let labels = labels
        .split_whitespace()
        .filter_map(|label| label.split_once('='));
    let labels = [("__name__", name)].into_iter().chain(labels);
    remote_write::series(labels, &[(1_506_146_578_000, value)])
}

async fn send(app: &App, user: &str, path: &str, body: Vec<u8>) -> Answer {
    let call = app.call("POST", path).user(user).wants_json();
    let call = call
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy");
    call.body(body).send().await
}

async fn write(app: &App, path: &str, series: &[TimeSeries]) -> Answer {
    send(app, "admin", path, remote_write_body(series)).await
}

async fn add_rule(app: &App) {
    let rule = json!({"name": "all", "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
}

async fn prepared() -> App {
    let app = App::with_policy().await;
    add_rule(&app).await;
    app
}

async fn read(app: &App, path: &str) -> Value {
    app.admin("GET", path, Value::Null).await.is(200).json()
}

async fn metric_names(app: &App, resource: &str) -> Vec<String> {
    let resource = read(app, &format!("/v1/resource/prometheus/{resource}")).await;
    resource["metrics"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

#[tokio::test]
async fn job_and_instance_are_the_resource() {
    let app = prepared().await;
    let request = [
        series("up instance=localhost:9090 job=prometheus", 1.0),
        series(
            "scrape_samples_scraped instance=localhost:9090 job=prometheus",
            558.0,
        ),
        series("up", 0.0),
    ];
    let answer = write(&app, BY_NAME, &request).await.is(202);
    assert_eq!(answer.header("content-length"), "0");
    let resources = read(&app, "/v1/resource/prometheus?sort=original_resource_id").await;
    assert_eq!(resources[0]["original_resource_id"], "none@none");
    assert_eq!(resources[0]["job"], "none");
    assert_eq!(
        resources[1]["original_resource_id"],
        "prometheus@localhost:9090"
    );
    assert_eq!(resources[1]["job"], "prometheus");
    assert_eq!(resources[1]["instance"], "localhost:9090");
    let path =
        "/v1/resource/prometheus/prometheus@localhost:9090/metric/scrape_samples_scraped/measures";
    assert_eq!(
        read(&app, path).await,
        json!([["2017-09-23T06:02:58+00:00", 1.0, 558.0]])
    );
    let attributes = &read(&app, "/v1/resource_type/prometheus").await["attributes"];
    let text = json!({"type": "string", "required": true, "min_length": 1, "max_length": 512});
    assert_eq!(*attributes, json!({"job": text, "instance": text}));
}

#[tokio::test]
async fn every_label_set_is_a_metric_at_the_path_of_every_receiver() {
    let app = prepared().await;
    let request = [
        series("cpu cpu=0 instance=h:9100 job=node mode=idle", 1.0),
        series("cpu cpu=1 instance=h:9100 job=node mode=idle", 2.0),
        series("free device=/dev/sda instance=h:9100 job=node", 3.0),
        series("free device=_dev_sda instance=h:9100 job=node", 3.5),
        series("up instance=h:9100 job=node", 4.0),
        series("up instance=h:9100 job=team/node", 5.0),
    ];
    write(&app, BY_LABELS, &request).await.is(204);
    let names = metric_names(&app, "node@h:9100").await;
    assert_eq!(
        names,
        [
            "cpu@cpu=0,mode=idle",
            "cpu@cpu=1,mode=idle",
            "free@device=\\_dev\\_sda",
            "free@device=_dev_sda",
            "up"
        ]
    );
    let other = read(&app, "/v1/resource/prometheus/team%5C_node@h:9100").await;
    assert_eq!(other["job"], "team/node");
    let path = "/v1/resource/prometheus/node@h:9100/metric/cpu@cpu=1,mode=idle/measures";
    assert_eq!(read(&app, path).await[0][2], 2.0);
}

/// What is counted while some requests are handled.
#[expect(
    clippy::future_not_send,
    reason = "the recorder belongs to the thread of the test"
)]
async fn rejected(requests: impl AsyncFnOnce()) -> Vec<(String, u64)> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let recording = metrics::set_default_local_recorder(&recorder);
    requests().await;
    drop(recording);
    let mut counts = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        if let DebugValue::Counter(count) = value
            && key.key().name() == "gnocchi_measures_rejected_total"
        {
            let reason = key.key().labels().next().unwrap().value().to_owned();
            counts.push((reason, count));
        }
    }
    counts.sort();
    counts
}

#[tokio::test]
async fn series_that_collapse_are_counted() {
    let app = prepared().await;
    let request = [
        series("cpu cpu=0 job=node", 1.0),
        series("cpu cpu=1 job=node", 2.0),
    ];
    let counts = rejected(async || {
        write(&app, BY_NAME, &request).await.is(202);
    });
    assert_eq!(counts.await, [("label_collapse".to_owned(), 1)]);
    let path = "/v1/resource/prometheus/node@none/metric/cpu/measures";
    assert_eq!(read(&app, path).await[0][2], 2.0);
    let counts = rejected(async || {
        write(&app, BY_LABELS, &request).await.is(204);
    });
    assert_eq!(counts.await, []);
}

/// Reads what a sender is told: a text on one line of JSON.
fn error(answer: &Answer) -> String {
    assert_eq!(answer.text().lines().count(), 1);
    answer.json()["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_cannot_be_stored_is_counted_and_the_rest_is_stored() {
    let app = prepared().await;
    let mut odd = series("up job=node", 1.0);
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    odd.samples.extend([
        Sample {
            value: stale,
            timestamp: 1_506_146_579_000,
        },
        Sample {
            value: 1.0,
            timestamp: -1,
        },
        Sample {
            value: 1.0,
            timestamp: i64::MAX,
        },
    ]);
    let nameless = series(" job=node", 1.0);
    let twice = series("m job=node zone=a zone=b", 1.0);
    let counts = rejected(async || {
        let answer = write(&app, BY_LABELS, &[odd, nameless, twice])
            .await
            .is(400);
        assert_eq!(
            error(&answer),
            "samples not stored: 4 of 5 (1 before_epoch, 1 out_of_range, 1 no_name, 1 duplicate_label); \
             first: series 1: the timestamp lies before 1970: {__name__=\"up\", job=\"node\"} -1"
        );
    });
    let expected = [
        ("before_epoch", 1),
        ("duplicate_label", 1),
        ("no_name", 1),
        ("out_of_range", 1),
        ("stale_marker", 1),
    ];
    assert_eq!(
        counts.await,
        expected.map(|(reason, count)| (reason.to_owned(), count))
    );
    let path = "/v1/resource/prometheus/node@none/metric/up/measures";
    assert_eq!(read(&app, path).await.as_array().unwrap().len(), 1);
}

/// A series that only ends is no failure, and a sender need not be told of it.
#[tokio::test]
async fn stale_markers_are_no_failure() {
    let app = prepared().await;
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    write(&app, BY_LABELS, &[series("up job=node", stale)])
        .await
        .is(204);
    assert_eq!(read(&app, "/v1/resource").await.get("prometheus"), None);
}

/// The series of a container as a kubelet shows it, twice.
#[tokio::test]
async fn long_label_sets_are_stored() {
    let app = prepared().await;
    let container = |digest: &str| {
        let labels = [
            "container_memory_working_set_bytes container=db endpoint=https-metrics instance=w:10250 job=kubelet",
            "id=/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f3c1d2e_aaaa_bbbb_cccc_1234567890ab.slice",
            "image=registry.example.com/library/db@sha256:0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d",
            "name=4f8b0f8b4f8b0f8b4f8b0f8b4f8b0f8b4f8b0f8b4f8b0f8b4f8b0f8b4f8b0f8b namespace=shop node=worker-1",
        ];
        series(&format!("{} pod={digest}", labels.join(" ")), 1.0)
    };
    let request = [
        container("db-0"),
        container("db-1"),
        series("up instance=w:10250 job=kubelet", 1.0),
    ];
    write(&app, BY_LABELS, &request).await.is(204);
    let names = metric_names(&app, "kubelet@w:10250").await;
    assert_eq!(names.len(), 3);
    let beginning = r"container_memory_working_set_bytes@container=db,endpoint=https-metrics,id=_kubepods.slice_";
    for name in &names[..2] {
        assert!(name.starts_with(beginning), "{name}");
        assert_eq!(name.len(), 255);
        let (_, digest) = name.rsplit_once('~').unwrap();
        assert_eq!(digest.len(), 32);
    }
    // The same series again is the same metric.
    write(&app, BY_LABELS, &request).await.is(204);
    assert_eq!(metric_names(&app, "kubelet@w:10250").await, names);
}

#[tokio::test]
async fn a_series_without_a_rule_costs_no_other() {
    let app = App::with_policy().await;
    let rule = json!({"name": "node", "metric_pattern": "node_*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule)
        .await
        .is(201);
    for path in [BY_NAME, BY_LABELS] {
        let request = [
            series("go_threads job=j", 1.0),
            series("node_load1 job=j", 1.0),
            series("go_gc job=k", 1.0),
        ];
        // Once the metric is there, too.
        for _ in 0..2 {
            let answer = write(&app, path, &request).await.is(400);
            assert_eq!(
                error(&answer),
                "samples not stored: 2 of 3 (2 no_archive_policy_rule); first: series 1: No archive policy name \
                 specified and no archive policy rule found matching the metric name go_threads (name one \
                 with archive_policy_name, or create a rule whose pattern matches the name)"
            );
        }
    }
    assert_eq!(metric_names(&app, "j@none").await, ["node_load1"]);
    let resources = read(&app, "/v1/resource/prometheus").await;
    assert_eq!(resources.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn texts_that_cannot_be_stored_are_refused_at_once() {
    let app = prepared().await;
    for path in [BY_NAME, BY_LABELS] {
        for labels in ["a\0b job=j", "a job=\0", "a job=j instance=\0"] {
            let answer = write(&app, path, &[series(labels, 1.0)]).await.is(400);
            let text = error(&answer);
            assert!(text.contains("U+0000 is not supported"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_is_no_request() {
    let app = prepared().await;
    for path in [BY_NAME, BY_LABELS] {
        for body in [&b""[..], b"text", b"\xff\xff\xff\xff\xff\xff\xff"] {
            let answer = send(&app, "admin", path, body.to_vec()).await.is(400);
            assert_eq!(answer.description()["cause"], "Unable to decode body");
        }
        let message = snap::raw::Encoder::new()
            .compress_vec(b"\x0a\x05abc")
            .unwrap();
        let answer = send(&app, "admin", path, message).await.is(400);
        assert_eq!(
            answer.description()["reason"],
            "the message ends within a field"
        );
        write(&app, path, &[series(" job=node", 1.0)])
            .await
            .is(400)
            .says("the label __name__ is missing");
    }
    write(&app, BY_NAME, &[series("a/b", 1.0)])
        .await
        .is(400)
        .says("'/' is not supported in metric name: {__name__=\\\"a/b\\\"}");
    // Nothing to store is fine.
    write(&app, BY_NAME, &[]).await.is(202);
    write(&app, BY_LABELS, &[]).await.is(204);
    let call = app.call("POST", BY_LABELS).user("admin");
    let second = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    call.header("content-type", second)
        .body(remote_write_body(&[]))
        .send()
        .await
        .is(415);
    // No announcement is needed.
    app.call("POST", BY_NAME)
        .user("admin")
        .body(remote_write_body(&[]))
        .send()
        .await
        .is(202);
    app.call("GET", BY_LABELS)
        .user("admin")
        .send()
        .await
        .is(405);
}

#[tokio::test]
async fn there_are_limits() {
    let app = prepared().await;
    let many: Vec<TimeSeries> = (0..501)
        .map(|index| series(&format!("m{index}"), 1.0))
        .collect();
    write(&app, BY_LABELS, &many)
        .await
        .is(413)
        .says("more metrics than the limit of 500");
    let mut long = series("m", 1.0);
    long.samples = vec![long.samples[0]; 1001];
    write(&app, BY_LABELS, &[long])
        .await
        .is(413)
        .says("more points than the limit of 1000");
    // A few bytes that become many.
    let bomb = snap::raw::Encoder::new()
        .compress_vec(&vec![0; 100_001])
        .unwrap();
    assert!(bomb.len() < 10_000);
    send(&app, "admin", BY_LABELS, bomb)
        .await
        .is(413)
        .says("bytes after decompression ([api] body_bytes_max)");
}

#[tokio::test]
async fn the_first_use_needs_the_right_to_create_the_type() {
    let app = prepared().await;
    let request = remote_write_body(&[series("up job=node", 1.0)]);
    send(&app, "foobar", BY_LABELS, request.clone())
        .await
        .is(403);
    write(&app, BY_LABELS, &[series("up", 1.0)]).await.is(204);
    send(&app, "foobar", BY_LABELS, request.clone())
        .await
        .is(204);
    // Each sender has his own resources.
    send(&app, "foobaz", BY_LABELS, request).await.is(204);
    assert_eq!(
        read(&app, "/v1/resource/prometheus")
            .await
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn a_type_of_that_name_that_does_not_fit_is_told() {
    let app = prepared().await;
    let text = json!({"type": "string", "max_length": 3});
    let type_body = json!({"name": "prometheus", "attributes": {"job": text}});
    app.admin("POST", "/v1/resource_type", type_body)
        .await
        .is(201);
    write(&app, BY_NAME, &[series("up job=a", 1.0)])
        .await
        .is(400)
        .says("the type has no attribute instance");
}

#[tokio::test]
async fn a_rule_must_match() {
    let app = App::with_policy().await;
    let refused = write(&app, BY_NAME, &[series("up", 1.0)]).await.is(400);
    refused.says("no archive policy rule found matching the metric name up");
}

/// Prometheus sends again what was refused like this.
#[tokio::test]
async fn a_full_backlog_is_worth_another_try() {
    let drivers = drivers();
    let incoming =
        MemoryIncoming::new(SACKS_DEFAULT, Arc::clone(&drivers.clock)).with_pending_bytes_max(1);
    let app = App::with(
        Drivers {
            incoming: Arc::new(incoming),
            ..drivers
        },
        Settings::default(),
    );
    app.create_policy().await;
    add_rule(&app).await;
    write(&app, BY_NAME, &[series("up", 1.0)]).await.is(202);
    let request = [series("cpu cpu=0", 1.0), series("cpu cpu=1", 1.0)];
    let counts = rejected(async || {
        let answer = write(&app, BY_NAME, &request).await.is(503);
        assert_eq!(answer.header("retry-after"), "1");
    });
    // What is sent again is not counted twice.
    assert_eq!(counts.await, []);
}
