//! The most expensive request that we know of every operation.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::world::{METRICS, START, World, name};

/// A request.
pub(crate) struct Heavy {
    /// The operation that it belongs to, as `GET /v1/metric/{id}`.
    pub(crate) operation: &'static str,
    /// What makes it expensive.
    pub(crate) what: &'static str,
    address: String,
    content_type: &'static str,
    body: Vec<u8>,
    /// The status that it must have; `None` where success and refusal are both right.
    pub(crate) status: Option<u16>,
}

impl Heavy {
    /// Sends the request as the administrator, and returns the status and the beginning of the text.
    pub(crate) async fn send(&self, url: &str) -> (u16, String) {
        let (method, _) = self.operation.split_once(' ').unwrap();
        let http = gnocchi_server::outgoing::client().build().unwrap();
        let request = http
            .request(method.parse().unwrap(), format!("{url}{}", self.address))
            .basic_auth("admin", Some(""));
        let request = if self.body.is_empty() {
            request
        } else {
            request
                .header("Content-Type", self.content_type)
                .body(self.body.clone())
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.text().await.unwrap())
    }

    fn expect(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    fn typed(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }
}

/// A request without a body.
fn plain(operation: &'static str, what: &'static str, address: impl Into<String>) -> Heavy {
    Heavy {
        operation,
        what,
        address: address.into(),
        content_type: "application/json",
        body: Vec::new(),
        status: None,
    }
}

/// A request with JSON.
fn with(
    operation: &'static str,
    what: &'static str,
    address: impl Into<String>,
    body: &Value,
) -> Heavy {
    Heavy {
        body: body.to_string().into_bytes(),
        ..plain(operation, what, address)
    }
}

/// Returns all of them, in an order in which each finds what it is about: deletions come last.
pub(crate) fn heavy_requests(world: &World) -> Vec<Heavy> {
    let mut all = documents();
    all.extend(policies());
    all.extend(queries(world));
    all.extend(searches(world));
    all.extend(writes(world));
    all.extend(senders());
    all.extend(resource_types());
    all.extend(resources());
    all.extend(deletions(world));
    all
}

/// What costs the same whatever the client sends.
fn documents() -> Vec<Heavy> {
    vec![
        plain("GET /", "", "/"),
        plain("GET /v1/", "", "/v1/"),
        plain("GET /v1/openapi.json", "", "/v1/openapi.json"),
        plain("GET /v1/capabilities", "", "/v1/capabilities"),
        plain(
            "GET /v1/status",
            "of each metric",
            "/v1/status?details=true",
        ),
        plain("GET /ping", "", "/ping"),
        plain("GET /v1/influxdb/ping", "", "/v1/influxdb/ping"),
        plain("GET /v1/influxdb/health", "", "/v1/influxdb/health"),
        plain("GET /v1/archive_policy", "", "/v1/archive_policy"),
        plain(
            "GET /v1/archive_policy/{name}",
            "",
            "/v1/archive_policy/low",
        ),
        plain("GET /v1/archive_policy_rule", "", "/v1/archive_policy_rule"),
        plain(
            "GET /v1/archive_policy_rule/{name}",
            "",
            "/v1/archive_policy_rule/default",
        ),
        plain("GET /v1/resource_type", "", "/v1/resource_type"),
        plain(
            "GET /v1/resource_type/{name}",
            "",
            "/v1/resource_type/typed",
        ),
        plain("GET /v1/resource", "", "/v1/resource"),
    ]
}

fn policies() -> Vec<Heavy> {
    let definitions: Value = (1..=20_000)
        .map(|granularity| json!({"granularity": granularity, "points": 10}))
        .collect();
    let policy = json!({"name": "many", "definition": definitions});
    let change = json!({"definition": definitions});
    let pattern = "*a".repeat(500);
    let rule = json!({"name": "r", "metric_pattern": pattern, "archive_policy_name": "low"});
    vec![
        with(
            "POST /v1/archive_policy",
            "with many definitions",
            "/v1/archive_policy",
            &policy,
        ),
        with(
            "PATCH /v1/archive_policy/{name}",
            "with many definitions",
            "/v1/archive_policy/spare",
            &change,
        ),
        with(
            "POST /v1/archive_policy_rule",
            "with a pattern of many stars",
            "/v1/archive_policy_rule",
            &rule,
        ),
        with(
            "PATCH /v1/archive_policy_rule/{name}",
            "with a long name",
            "/v1/archive_policy_rule/spare",
            &json!({"name": "n".repeat(100_000)}),
        ),
        with(
            "POST /v1/metric",
            "with a name that is compared with each rule",
            "/v1/metric",
            &json!({"name": "a".repeat(255)}),
        ),
    ]
}

/// Nests an operation around a text.
fn nested(depth: usize, of: String, around: impl Fn(usize, String) -> String) -> String {
    (0..depth).fold(of, |inner, place| around(place, inner))
}

#[expect(clippy::too_many_lines, reason = "a list of requests")]
fn queries(world: &World) -> Vec<Heavy> {
    let long = &world.long;
    let medians = nested(60, format!("(metric {long} mean)"), |place, inner| {
        format!("(rolling median {} {inner})", 1000 + place)
    });
    let copies = nested(50, format!("(abs (metric {long} mean))"), |_, inner| {
        format!("(+ (abs (metric {long} mean)) {inner})")
    });
    let globs: String = (0..250).fold(String::new(), |mut text, place| {
        write!(text, "(*{}b{place} mean) ", "a".repeat(120)).unwrap();
        text
    });
    let globs = format!("(aggregate mean (metric {}))", globs.trim());
    let sets: String = (0..250).fold(String::new(), |mut text, place| {
        write!(text, "(*{}?x{place} mean) ", "[ab]".repeat(100)).unwrap();
        text
    });
    let sets = format!("(aggregate mean (metric {}))", sets.trim());
    let of_resources = |operations: &str| json!({"operations": operations, "resource_type": "generic", "search": {}});
    let all = "(aggregate median (metric (a* mean) (m* mean)))";
    let measures = "granularity=1&resample=2&aggregation=mean";
    let named = format!("/v1/resource/generic/wide/metric/{}/measures", name(0));
    let ids: String = world
        .many
        .iter()
        .take(100)
        .fold(String::new(), |mut text, id| {
            write!(text, "metric={id}&").unwrap();
            text
        });
    vec![
        plain(
            "GET /v1/metric/{id}/measures",
            "of many points, grouped by twos",
            format!("/v1/metric/{long}/measures?{measures}"),
        )
        .expect(200),
        plain(
            "GET /v1/metric/{id}/measures",
            "by a span shorter than the granularity",
            format!("/v1/metric/{long}/measures?granularity=1&resample=0.000000001"),
        ),
        plain(
            "GET /v1/resource/{type}/{id}/metric/{name}/measures",
            "of a resource with many metrics",
            named,
        )
        .expect(200),
        with(
            "POST /v1/aggregates",
            "of nested rolling medians",
            "/v1/aggregates",
            &json!({"operations": medians}),
        ),
        with(
            "POST /v1/aggregates",
            "that holds many copies",
            "/v1/aggregates",
            &json!({"operations": copies}),
        ),
        with(
            "POST /v1/aggregates",
            "of many patterns that almost match",
            "/v1/aggregates",
            &of_resources(&globs),
        ),
        with(
            "POST /v1/aggregates",
            "of many patterns of sets that almost match",
            "/v1/aggregates",
            &of_resources(&sets),
        ),
        with(
            "POST /v1/aggregates",
            "of all metrics, for each resource, with history",
            "/v1/aggregates?groupby=id&groupby=type&use_history=true&details=true",
            &of_resources(all),
        ),
        plain(
            "GET /v1/aggregation/metric",
            "of many metrics, filled",
            format!(
                "/v1/aggregation/metric?{ids}fill=full_ffill&reaggregation=median&aggregation=mean"
            ),
        ),
        with(
            "POST /v1/aggregation/metric",
            "of all metrics, many times",
            "/v1/aggregation/metric?aggregation=mean&reaggregation=median&fill=0",
            &json!(
                world
                    .many
                    .iter()
                    .cycle()
                    .take(METRICS * 10)
                    .collect::<Vec<_>>()
            ),
        ),
        with(
            "POST /v1/aggregation/resource/{type}/metric/{name}",
            "for each resource",
            "/v1/aggregation/resource/typed/metric/m.f@host=h1?aggregation=mean&reaggregation=median&groupby=id&groupby=original_resource_id&groupby=started_at",
            &json!({}),
        ),
    ]
}

fn searches(world: &World) -> Vec<Heavy> {
    let like = json!({"like": {"original_resource_id": format!("{}x", "%a".repeat(2000))}});
    let any: Value = (0..300)
        .map(|place| json!({"like": {"original_resource_id": format!("%{}%{place}", "h_".repeat(20))}}))
        .collect();
    let deep = (0..2000).fold(json!({"=": {"id": "x"}}), |inner, _| json!({"not": inner}));
    let brackets = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let predicate = (0..300)
        .map(|place| json!({"and": [{"!=": place}, {"≥": -place}]}))
        .collect::<Vec<_>>();
    let search = "/v1/search/resource/{type}";
    vec![
        with(
            "POST /v1/search/metric",
            "of many points by many conditions",
            format!("/v1/search/metric?metric_id={}", world.long),
            &json!({"or": predicate}),
        ),
        with(
            "POST /v1/search/resource/{type}",
            "by a pattern of many wildcards",
            "/v1/search/resource/generic?limit=1000",
            &like,
        ),
        with(
            "POST /v1/search/resource/{type}",
            "by many patterns",
            "/v1/search/resource/generic?limit=1000&history=true&sort=started_at:desc&sort=user_id:asc",
            &json!({"or": any}),
        ),
        with(
            "POST /v1/search/resource/{type}",
            "by a deep filter",
            search.replace("{type}", "generic"),
            &deep,
        )
        .expect(400),
        Heavy {
            body: brackets.into_bytes(),
            ..plain(
                "POST /v1/search/resource/{type}",
                "by JSON that is nothing but depth",
                "/v1/search/resource/generic",
            )
        }
        .expect(400),
        plain(
            "GET /v1/metric",
            "with all orders",
            "/v1/metric?limit=100000&sort=name:desc&sort=unit:asc&sort=archive_policy_name:desc&sort=status:asc&sort=creator:asc",
        ),
        plain(
            "GET /v1/resource/{type}",
            "with all metrics and history",
            "/v1/resource/generic?limit=100000&details=true&history=true&sort=type:desc&sort=started_at:asc",
        ),
        plain(
            "GET /v1/resource/{type}/{id}",
            "with many metrics",
            "/v1/resource/generic/wide",
        ),
        plain(
            "GET /v1/resource/{type}/{id}/history",
            "with many metrics",
            "/v1/resource/generic/wide/history?limit=1000&details=true",
        ),
        plain(
            "GET /v1/resource/{type}/{id}/metric",
            "with many metrics",
            "/v1/resource/generic/wide/metric",
        ),
        plain(
            "GET /v1/resource/{type}/{id}/metric/{name}",
            "",
            format!("/v1/resource/generic/wide/metric/{}", name(1)),
        ),
        plain(
            "GET /v1/metric/{id}",
            "",
            format!("/v1/metric/{}", world.long),
        ),
    ]
}

fn points(number: usize) -> Value {
    (0..number)
        .map(|index| json!({"timestamp": START + index * 61, "value": index}))
        .collect()
}

fn writes(world: &World) -> Vec<Heavy> {
    let by_metric: serde_json::Map<String, Value> = world
        .many
        .iter()
        .map(|id| (id.clone(), points(50)))
        .collect();
    let new: serde_json::Map<String, Value> = (0..METRICS)
        .map(|place| (format!("new{place}"), points(1)))
        .collect();
    vec![
        with(
            "POST /v1/metric/{id}/measures",
            "of many points, newest first",
            format!("/v1/metric/{}/measures", world.small),
            &points(50_000)
                .as_array()
                .unwrap()
                .iter()
                .rev()
                .cloned()
                .collect(),
        )
        .expect(202),
        with(
            "POST /v1/resource/{type}/{id}/metric/{name}/measures",
            "of many points",
            format!("/v1/resource/generic/wide/metric/{}/measures", name(2)),
            &points(50_000),
        )
        .expect(202),
        with(
            "POST /v1/batch/metrics/measures",
            "for many metrics",
            "/v1/batch/metrics/measures",
            &Value::Object(by_metric),
        )
        .expect(202),
        with(
            "POST /v1/batch/resources/metrics/measures",
            "for many new metrics",
            "/v1/batch/resources/metrics/measures?create_metrics=true",
            &json!({"wide": new}),
        )
        .expect(202),
    ]
}

fn senders() -> Vec<Heavy> {
    let mut line = "cpu,host=fields ".to_owned();
    for place in 0..30_000 {
        write!(line, "f{place}=1,").unwrap();
    }
    let line = line.trim_end_matches(',').to_owned();
    // Names are made of the tag and one field each.
    let mut tagged = format!("cpu,host=tagged,t={} ", "x".repeat(32 << 10));
    for place in 0..4500 {
        write!(tagged, "{place:x}=1,").unwrap();
    }
    let hosts = (0..400).fold(String::new(), |mut text, place| {
        writeln!(text, "m,host=new{place} f=1").unwrap();
        text
    });
    // A length of four gigabytes before a few bytes.
    let bomb = vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    let statement = format!("/v1/influxdb/query?q=show+databases{}", "+".repeat(5000));
    let text = |operation, what, address: &str, body: String| Heavy {
        body: body.into_bytes(),
        ..plain(operation, what, address).typed("text/plain")
    };
    let snappy = |operation, address: &str| Heavy {
        body: bomb.clone(),
        ..plain(operation, "that claims to be huge", address).typed("application/x-protobuf")
    };
    vec![
        plain(
            "GET /v1/influxdb/query",
            "with a long statement",
            statement.clone(),
        ),
        plain(
            "POST /v1/influxdb/query",
            "with a long statement",
            statement,
        ),
        text(
            "POST /v1/influxdb/write",
            "of one line with many fields",
            "/v1/influxdb/write?db=generic",
            line,
        )
        .expect(413),
        text(
            "POST /v1/influxdb/write",
            "of one line with a long tag and many fields",
            "/v1/influxdb/write?db=generic",
            tagged.trim_end_matches(',').to_owned(),
        )
        .expect(204),
        text(
            "POST /v1/influxdb/api/v2/write",
            "of many new resources",
            "/v1/influxdb/api/v2/write?bucket=typed",
            hosts,
        ),
        snappy("POST /v1/prometheus/write", "/v1/prometheus/write"),
        snappy("POST /api/v1/write", "/api/v1/write"),
    ]
}

fn resource_types() -> Vec<Heavy> {
    let attributes: serde_json::Map<String, Value> = (0..1000)
        .map(|place| {
            (
                format!("a{place}"),
                json!({"type": "string", "required": false}),
            )
        })
        .collect();
    let fills: Value = (0..999)
        .map(|place| {
            let filled =
                json!({"type": "string", "required": true, "options": {"fill": "x".repeat(200)}});
            json!({"op": "add", "path": format!("/attributes/a{place}"), "value": filled})
        })
        .collect();
    vec![
        with(
            "POST /v1/resource_type",
            "with many attributes",
            "/v1/resource_type",
            &json!({"name": "many", "attributes": attributes}),
        ),
        with(
            "PATCH /v1/resource_type/{name}",
            "that fills many attributes of many resources",
            "/v1/resource_type/typed",
            &fills,
        )
        .typed("application/json-patch+json")
        .expect(422),
    ]
}

fn resources() -> Vec<Heavy> {
    let metrics = |prefix: &str| -> Value {
        let metric = |place| (format!("{prefix}{place}"), json!({}));
        Value::Object((0..METRICS).map(metric).collect())
    };
    vec![
        with(
            "POST /v1/resource/{type}",
            "with many metrics",
            "/v1/resource/generic",
            &json!({"id": "second", "metrics": metrics("m")}),
        )
        .expect(201),
        with(
            "PATCH /v1/resource/{type}/{id}",
            "with other metrics than before",
            "/v1/resource/generic/second",
            &json!({"metrics": metrics("n")}),
        )
        .expect(200),
        with(
            "POST /v1/resource/{type}/{id}/metric",
            "of many metrics",
            "/v1/resource/generic/second/metric",
            &metrics("o"),
        )
        .expect(200),
    ]
}

fn deletions(world: &World) -> Vec<Heavy> {
    let all = json!({"like": {"original_resource_id": "%h%"}});
    vec![
        with(
            "DELETE /v1/resource/{type}",
            "of many resources",
            "/v1/resource/typed",
            &all,
        )
        .expect(200),
        plain(
            "DELETE /v1/resource/{type}/{id}",
            "with many metrics",
            "/v1/resource/generic/wide",
        )
        .expect(204),
        plain(
            "DELETE /v1/resource/{type}/{id}/metric/{name}",
            "",
            "/v1/resource/generic/second/metric/o1",
        )
        .expect(204),
        plain(
            "DELETE /v1/metric/{id}",
            "of many points",
            format!("/v1/metric/{}", world.long),
        )
        .expect(204),
        plain(
            "DELETE /v1/resource_type/{name}",
            "",
            "/v1/resource_type/empty",
        )
        .expect(204),
        plain(
            "DELETE /v1/archive_policy_rule/{name}",
            "",
            "/v1/archive_policy_rule/spare",
        ),
        plain(
            "DELETE /v1/archive_policy/{name}",
            "",
            "/v1/archive_policy/spare",
        ),
    ]
}
