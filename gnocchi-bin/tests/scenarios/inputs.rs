//! Whatever comes in, nothing ends in a failure of the server.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::App;

/// Any JSON, built from words that mean something to the API.
fn values() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        Just("timestamp"),
        Just("value"),
        Just("name"),
        Just("id"),
        Just("definition"),
        Just("granularity"),
        Just("points"),
        Just("timespan"),
        Just("metrics"),
        Just("attributes"),
        Just("type"),
        Just("archive_policy_name"),
        Just("second"),
        Just("1 hour"),
        Just("2015-03-06T14:33:57"),
        Just("-5 minutes"),
        Just("foobar"),
        Just("a/b"),
        Just("☃"),
        Just(""),
        Just("back_window"),
        Just("aggregation_methods"),
        Just("-mean"),
        Just("*"),
        Just("started_at"),
        Just("resource_id"),
        Just("f93450f2-d8a5-4d67-9985-02511241e7d1"),
        Just("measures"),
        Just("unit"),
        Just("metric_pattern"),
        Just("string"),
        Just("number"),
        Just("min"),
        Just("max"),
        Just("required"),
        Just("NaN"),
        Just("1e999"),
        Just("300000-01-01"),
    ];
    let words = words.prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-10_i64..10).prop_map(Value::from),
        words.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(words.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const TARGETS: [(&str, &str); 12] = [
    ("POST", "/v1/archive_policy"),
    ("PATCH", "/v1/archive_policy/second"),
    ("POST", "/v1/archive_policy_rule"),
    ("PATCH", "/v1/archive_policy_rule/none"),
    ("POST", "/v1/metric"),
    ("POST", "/v1/metric/METRIC/measures"),
    ("POST", "/v1/batch/metrics/measures?report=1"),
    (
        "POST",
        "/v1/batch/resources/metrics/measures?create_metrics=true",
    ),
    ("POST", "/v1/resource_type"),
    ("POST", "/v1/resource/generic"),
    ("PATCH", "/v1/resource/generic/web"),
    ("POST", "/v1/resource/generic/web/metric"),
];

const LISTINGS: [&str; 5] = [
    "/v1/metric",
    "/v1/metric/METRIC/measures",
    "/v1/resource/generic",
    "/v1/resource/generic/web/history",
    "/v1/status",
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap()
}

async fn prepared() -> (App, String) {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    app.admin("POST", "/v1/resource/generic", json!({"id": "web"}))
        .await
        .is(201);
    (app, metric)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_body_ends_in_a_failure(body in values(), cut in proptest::option::of(any::<prop::sample::Index>())) {
        let mut text = body.to_string().into_bytes();
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len() + 1));
        }
        runtime().block_on(async {
            let (app, metric) = prepared().await;
            for (method, path) in TARGETS {
                let path = path.replace("METRIC", &metric);
                let answer = app.call(method, &path).user("admin").wants_json().raw_json(text.clone()).await;
                assert!(answer.status.as_u16() < 500, "{method} {path} {body}: {}", answer.text());
            }
            // What was stored meanwhile is readable.
            for path in ["/v1/archive_policy", "/v1/metric", "/v1/resource/generic", "/v1/resource_type"] {
                app.call("GET", path).user("admin").send().await.is(200).json();
            }
        });
    }

    #[test]
    fn no_query_ends_in_a_failure(
        name in "limit|marker|sort|start|stop|granularity|resample|aggregation|details|history|id|attrs|refresh|[a-z]{1,3}",
        value in "[0-9a-z:@%+ .-]{0,12}|\\PC{0,6}",
    ) {
        let value = utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string();
        runtime().block_on(async {
            let (app, metric) = prepared().await;
            for path in LISTINGS {
                let path = format!("{}?{name}={value}&granularity=1", path.replace("METRIC", &metric));
                let answer = app.call("GET", &path).user("admin").wants_json().send().await;
                assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text());
            }
        });
    }
}
