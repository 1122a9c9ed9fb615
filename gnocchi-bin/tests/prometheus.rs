//! A real Prometheus scrapes itself and sends what it finds.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Client, PATIENCE, Server};

/// Where Prometheus is installed by the package of that name.
const PROGRAM: &str = "prometheus";

/// Labels that name the resource, and the one that begins the name of a metric.
const NOT_IN_THE_NAME: [&str; 3] = ["__name__", "instance", "job"];

/// A Prometheus of our own; killed when dropped.
struct Prometheus {
    child: Child,
    url: String,
}

impl Prometheus {
    /// Starts one that scrapes itself every second and sends to an address. `None` when none is installed.
    fn start(directory: &Path, receiver: &str) -> Option<Self> {
        // The port is free now; no other process on this machine asks for one by number.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let address = free.unwrap().to_string();
        let configuration = format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs: [{{job_name: self, static_configs: [{{targets: [\"{address}\"]}}]}}]\n\
             remote_write: [{{url: \"{receiver}\", basic_auth: {{username: admin, password: secret}}, \
             queue_config: {{batch_send_deadline: 500ms}}}}]\n"
        );
        let file = support::write(directory, "prometheus.yml", &configuration);
        let data = directory.join("prometheus");
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={file}"))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let url = format!("http://{address}");
        Some(Self { child, url })
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let response = reqwest::get(format!("{}{path}", self.url)).await.ok()?;
        serde_json::from_str(&response.text().await.ok()?).ok()
    }

    /// Returns the current value of one of its own metrics, summed over its label sets.
    async fn value(&self, name: &str) -> f64 {
        let answer = self.get(&format!("/api/v1/query?query=sum({name})")).await;
        let answer = answer.unwrap_or_default();
        let value = answer["data"]["result"][0]["value"][1].as_str();
        value.and_then(|text| text.parse().ok()).unwrap_or(0.0)
    }

    /// Returns the label sets of everything that it scraped.
    async fn series(&self) -> Vec<Value> {
        let answer = self
            .get("/api/v1/series?match[]={job=%22self%22}")
            .await
            .unwrap();
        answer["data"].as_array().unwrap().clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the value of a label as it stands in the name of a metric.
fn written(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace(',', "\\,");
    if value.starts_with(['/', '_']) {
        value.replace('_', "\\_").replace('/', "_")
    } else {
        value.replace('/', "\\_")
    }
}

/// Returns the name that a series has as a metric.
fn metric_name(labels: &Value) -> String {
    let others = labels.as_object().unwrap().iter();
    let others = others.filter(|(name, _)| !NOT_IN_THE_NAME.contains(&name.as_str()));
    let others: Vec<String> = others
        .map(|(name, value)| format!("{name}={}", written(value.as_str().unwrap())))
        .collect();
    let name = labels["__name__"].as_str().unwrap();
    let separator = if others.is_empty() { "" } else { "@" };
    format!("{name}{separator}{}", others.join(","))
}

async fn metrics_of_the_only_resource(client: &Client) -> Option<Value> {
    let types = client.get("/v1/resource").await;
    types.as_object()?.get("prometheus")?;
    let resources = client.get("/v1/resource/prometheus").await;
    Some(resources.as_array()?.first()?["metrics"].clone())
}

/// Waits until as many samples arrived as make sure that every series was sent.
async fn wait_for_samples(prometheus: &Prometheus, client: &Client) {
    let began = Instant::now();
    loop {
        let scraped = prometheus.value("scrape_samples_scraped").await;
        let sent = prometheus
            .value("prometheus_remote_storage_samples_total")
            .await;
        if scraped > 0.0
            && sent > 3.0 * scraped
            && metrics_of_the_only_resource(client).await.is_some()
        {
            return;
        }
        assert!(
            began.elapsed() < 3 * PATIENCE,
            "{sent} samples of {scraped} series were sent"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Returns whether the test must not be skipped.
fn is_required() -> bool {
    std::env::var("GNOCCHI_TEST_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|name| name.trim() == PROGRAM))
}

#[tokio::test]
async fn every_series_of_a_real_prometheus_is_a_metric() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let client = server.client();
    let receiver = format!("{}/api/v1/write", server.url);
    let Some(prometheus) = Prometheus::start(directory.path(), &receiver) else {
        assert!(
            !is_required(),
            "{PROGRAM} is not installed, and GNOCCHI_TEST_REQUIRE asks for it"
        );
        eprintln!(
            "skipped every_series_of_a_real_prometheus_is_a_metric: {PROGRAM} is not installed"
        );
        return;
    };
    wait_for_samples(&prometheus, &client).await;
    for lost in ["failed", "dropped"] {
        let name = format!("prometheus_remote_storage_samples_{lost}_total");
        assert!(prometheus.value(&name).await < 0.5, "{name}");
    }

    let metrics = metrics_of_the_only_resource(&client).await.unwrap();
    let metrics = metrics.as_object().unwrap();
    let series = prometheus.series().await;
    assert!(series.len() > 100, "{} series", series.len());
    let arrived = |labels: &&Value| metrics.contains_key(&metric_name(labels));
    let missing: Vec<&Value> = series.iter().filter(|labels| !arrived(labels)).collect();
    // A series that began with the newest scrape may still be on its way.
    assert!(missing.len() < series.len() / 20, "{missing:?}");

    let up = metrics["up"].as_str().unwrap();
    let up = client.get(&format!("/v1/metric/{up}/measures")).await;
    assert_eq!(up.as_array().unwrap().last().unwrap()[2], json!(1.0));
    drop(prometheus);
    server.stop();
}
