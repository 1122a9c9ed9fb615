//! Resampling by the clocks and the calendar of a time zone.

use serde_json::{Value, json};

use crate::support::App;

/// Midnight in Brussels, 28 March 2025, in seconds. Two days later clocks go forward by an hour.
const START: i64 = 1_743_116_400;

/// A store with two metrics of the granularities of an hour and a day; each has a measure of 1 every hour, for four days and two hours.
struct Story {
    app: App,
    metrics: [String; 2],
}

impl Story {
    async fn new() -> Self {
        let app = App::new();
        let definition = json!([{"granularity": 3600}, {"granularity": 86400}]);
        let policy =
            json!({"name": "hours", "definition": definition, "aggregation_methods": ["sum"]});
        app.admin("POST", "/v1/archive_policy", policy)
            .await
            .is(201);
        let hours: Vec<Value> = (0..98)
            .map(|hour| json!({"timestamp": START + hour * 3600, "value": 1}))
            .collect();
        let mut metrics = Vec::new();
        for _ in 0..2 {
            let made = app
                .post("/v1/metric", json!({"archive_policy_name": "hours"}))
                .await
                .is(201);
            let metric = made.json()["id"].as_str().unwrap().to_owned();
            app.post(&format!("/v1/metric/{metric}/measures"), json!(hours))
                .await
                .is(202);
            metrics.push(metric);
        }
        Self {
            app,
            metrics: metrics.try_into().unwrap(),
        }
    }

    /// Reads one metric by every way that there is, and insists that all of them say the same.
    async fn resampled(&self, to: &str, zone: &str) -> Value {
        let [metric, other] = &self.metrics;
        let query = format!("aggregation=sum&granularity=3600&resample={to}&timezone={zone}");
        let app = &self.app;
        let read = async |path: String| app.get(&path).await.is(200).json();
        let measures = read(format!("/v1/metric/{metric}/measures?{query}")).await;
        for metrics in [
            format!("metric={metric}"),
            format!("metric={metric}&metric={other}&reaggregation=mean"),
        ] {
            let legacy = read(format!("/v1/aggregation/metric?{metrics}&{query}")).await;
            assert_eq!(legacy, measures, "{metrics}");
        }
        let operations = json!(["resample", "sum", to, ["metric", metric, "sum"]]);
        let path = format!("/v1/aggregates?granularity=3600&timezone={zone}");
        let computed = app.post(&path, json!({"operations": operations})).await;
        assert_eq!(computed.is(200).json()["measures"][metric]["sum"], measures);
        measures
    }

    /// Insists that every way refuses, for this reason.
    async fn refused(&self, granularity: u32, to: &str, reason: &str) {
        let [metric, other] = &self.metrics;
        let zone = "timezone=Europe/Brussels";
        let query = format!("aggregation=sum&granularity={granularity}&resample={to}&{zone}");
        for path in [
            format!("/v1/metric/{metric}/measures?{query}"),
            format!("/v1/aggregation/metric?metric={metric}&{query}"),
            format!("/v1/aggregation/metric?metric={metric}&metric={other}&{query}"),
        ] {
            let refused = self.app.call("GET", &path).user("foobar").wants_json();
            refused.send().await.is(400).says(reason);
        }
        let operations = json!(["resample", "sum", to, ["metric", metric, "sum"]]);
        let path = format!("/v1/aggregates?granularity={granularity}&{zone}");
        let refused = self.app.call("POST", &path).user("foobar").wants_json();
        let refused = refused.json(&json!({"operations": operations})).await;
        refused.is(400).says(reason);
    }
}

fn rows(granularity: &Value, rows: &[(&str, f64)]) -> Value {
    rows.iter()
        .map(|(stamp, value)| json!([format!("{stamp}:00+00:00"), granularity, value]))
        .collect()
}

#[tokio::test]
async fn days_are_those_of_the_zone() {
    let story = Story::new().await;
    let days = [
        ("2025-03-27T23:00", 24.0),
        ("2025-03-28T23:00", 24.0),
        ("2025-03-29T23:00", 23.0),
        ("2025-03-30T22:00", 24.0),
        ("2025-03-31T22:00", 3.0),
    ];
    for (to, label) in [("86400", json!(86400.0)), ("D", json!("D"))] {
        let found = story.resampled(to, "Europe/Brussels").await;
        assert_eq!(found, rows(&label, &days));
    }
    let two_days = story.resampled("172800", "Europe/Brussels");
    // Counted from the first day of 1970.
    let expected = [
        ("2025-03-26T23:00", 24.0),
        ("2025-03-28T23:00", 47.0),
        ("2025-03-30T22:00", 27.0),
    ];
    assert_eq!(two_days.await, rows(&json!(172_800.0), &expected));
    let utc = story.resampled("86400", "UTC").await;
    assert_eq!(utc[0], json!(["2025-03-27T00:00:00+00:00", 86400.0, 1.0]));
}

#[tokio::test]
async fn hours_follow_the_changes_of_the_clocks() {
    let story = Story::new().await;
    let found = story.resampled("21600", "Europe/Brussels").await;
    let values: Vec<f64> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[2].as_f64().unwrap())
        .collect();
    let mut expected = vec![6.0; 17];
    // Midnight to six o'clock of the day of the change; and what was measured of the last one.
    (expected[8], expected[16]) = (5.0, 3.0);
    assert_eq!(values, expected);
    assert_eq!(found[9], json!(["2025-03-30T04:00:00+00:00", 21600.0, 6.0]));
    // Every hour has its own bucket, as in UTC.
    let hours = story.resampled("3600", "Europe/Brussels").await;
    assert_eq!(hours, story.resampled("3600", "UTC").await);
}

#[tokio::test]
async fn what_no_clock_counts_is_refused() {
    let story = Story::new().await;
    for to in ["25200", "129600", "100000"] {
        story
            .refused(
                3600,
                to,
                "neither divide a day nor are a whole number of days",
            )
            .await;
    }
    // Days of UTC cannot be turned into others.
    let days = "aggregates of 86400.0 seconds cannot be divided at 2025-03-27T23:00:00Z";
    for to in ["86400", "D", "21600", "W"] {
        let reason = if to == "21600" || to == "W" {
            "aggregates of 86400.0 seconds cannot be divided at"
        } else {
            days
        };
        story.refused(86400, to, reason).await;
    }
    // In UTC both go, as they did before there were time zones.
    let metric = &story.metrics[0];
    for query in [
        "granularity=3600&resample=25200",
        "granularity=3600&resample=25200&timezone=UTC",
        "granularity=86400&resample=21600",
        "granularity=86400&resample=W",
    ] {
        let path = format!("/v1/metric/{metric}/measures?aggregation=sum&{query}");
        story.app.get(&path).await.is(200);
    }
}

#[tokio::test]
async fn start_and_stop_choose_whole_buckets() {
    let story = Story::new().await;
    let metric = &story.metrics[0];
    let read = async |query: &str| {
        let path = format!(
            "/v1/metric/{metric}/measures?aggregation=sum&granularity=3600&timezone=Europe/Brussels&{query}"
        );
        let found = story.app.get(&path).await.is(200).json();
        let legacy = format!(
            "/v1/aggregation/metric?metric={metric}&aggregation=sum&granularity=3600&timezone=Europe/Brussels&{query}"
        );
        assert_eq!(story.app.get(&legacy).await.is(200).json(), found);
        found
    };
    let days = json!([
        ["2025-03-29T23:00:00+00:00", "D", 23.0],
        ["2025-03-30T22:00:00+00:00", "D", 24.0]
    ]);
    for query in [
        "start=2025-03-29T23:00:00&stop=2025-03-31T22:00:00",
        "start=2025-03-30T21:59:59&stop=2025-03-30T22:00:01",
        "start=2025-03-30T12:00:00&stop=2025-03-31T12:00:00",
    ] {
        assert_eq!(read(&format!("resample=D&{query}")).await, days, "{query}");
    }
    let first = read("resample=D&start=2025-03-30T12:00:00&stop=2025-03-30T22:00:00").await;
    assert_eq!(first, json!([days[0]]));
    let nothing = read("resample=D&start=2025-03-30T12:00:00&stop=0").await;
    assert_eq!(nothing, json!([]));
}
