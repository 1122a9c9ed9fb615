//! Cutting sorted series into requests, and their JSON.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use carbonara::Series;

use super::advice::Span;

/// The most points in one request: about a megabyte of JSON, so that a repeated request costs little.
pub(super) const POINTS_PER_BATCH: usize = 20_000;

/// Batches that must be sent one after the other. Different chains hold different metrics.
pub(super) type Chain = Vec<Batch>;

/// The points of one request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    parts: Vec<Part>,
}

/// Some points of one metric.
#[derive(Debug)]
struct Part {
    metric: Arc<str>,
    series: Arc<Series>,
    range: Range<usize>,
}

/// Cuts metrics into chains: small ones share a batch, a large one has a chain of its own.
pub(super) fn chains(metrics: Vec<(Arc<str>, Series)>) -> Vec<Chain> {
    let mut chains = Vec::new();
    let mut shared = Batch::default();
    for (metric, series) in metrics {
        let series = Arc::new(series);
        let part = |range| Part {
            metric: Arc::clone(&metric),
            series: Arc::clone(&series),
            range,
        };
        if series.len() > POINTS_PER_BATCH {
            let starts = (0..series.len()).step_by(POINTS_PER_BATCH);
            let batch = |start| Batch {
                parts: vec![part(start..series.len().min(start + POINTS_PER_BATCH))],
            };
            chains.push(starts.map(batch).collect());
            continue;
        }
        if shared.points() + series.len() > POINTS_PER_BATCH {
            chains.push(vec![std::mem::take(&mut shared)]);
        }
        shared.parts.push(part(0..series.len()));
    }
    if shared.points() > 0 {
        chains.push(vec![shared]);
    }
    chains
}

impl Batch {
    /// Returns the number of points.
    pub(super) fn points(&self) -> usize {
        self.parts.iter().map(|part| part.range.len()).sum()
    }

    /// Returns one batch a metric.
    pub(super) fn into_single(self) -> impl Iterator<Item = Self> {
        self.parts
            .into_iter()
            .map(|part| Self { parts: vec![part] })
    }

    /// Returns whether there are points of several metrics.
    pub(super) fn is_shared(&self) -> bool {
        self.parts.len() > 1
    }

    /// Returns the name of the first metric, in most batches the only one.
    pub(super) fn first_metric(&self) -> &str {
        self.parts.first().map_or("", |part| &part.metric)
    }

    /// Returns the metrics and their oldest and newest timestamps.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        self.parts.iter().filter_map(|part| {
            let timestamps_ns = part.series.timestamps_ns().get(part.range.clone())?;
            Some(Span {
                metric: Arc::clone(&part.metric),
                oldest_ns: *timestamps_ns.first()?,
                newest_ns: *timestamps_ns.last()?,
            })
        })
    }

    /// Returns the body for measures of named metrics of one resource.
    pub(super) fn body(&self, resource: &str, policy: Option<&str>) -> String {
        let mut body = String::with_capacity(64 + self.points() * 48);
        body.push('{');
        push_text(&mut body, resource);
        body.push_str(":{");
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                body.push(',');
            }
            push_text(&mut body, &part.metric);
            body.push_str(":{\"measures\":");
            push_measures(&mut body, part);
            if let Some(policy) = policy {
                body.push_str(",\"archive_policy_name\":");
                push_text(&mut body, policy);
            }
            body.push('}');
        }
        body.push_str("}}");
        body
    }
}

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// Appends a list of measures. All timestamps of a list are written the same way: as seconds when all are whole, which is
/// shortest, else as text, since a JSON number does not hold every nanosecond.
fn push_measures(body: &mut String, part: &Part) {
    const INFALLIBLE: &str = "writing into a string cannot fail";
    let timestamps_ns = &part.series.timestamps_ns()[part.range.clone()];
    let values = &part.series.values()[part.range.clone()];
    let whole = timestamps_ns
        .iter()
        .all(|ns| ns % NANOSECONDS_PER_SECOND == 0);
    body.push('[');
    for (index, (ns, value)) in timestamps_ns.iter().zip(values).enumerate() {
        body.push_str(if index > 0 {
            ",{\"timestamp\":"
        } else {
            "{\"timestamp\":"
        });
        if whole {
            write!(body, "{}", ns / NANOSECONDS_PER_SECOND).expect(INFALLIBLE);
        } else {
            let timestamp = jiff::Timestamp::from_nanosecond(i128::from(*ns))
                .expect("63 bits of nanoseconds fit");
            write!(body, "\"{timestamp}\"").expect(INFALLIBLE);
        }
        // Debug prints the shortest digits that read back the same, with an exponent where that is shorter.
        write!(body, ",\"value\":{value:?}}}").expect(INFALLIBLE);
    }
    body.push(']');
}

fn push_text(body: &mut String, text: &str) {
    body.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: usize) -> Series {
        let timestamps_ns = (0..points)
            .map(|i| i64::try_from(i).unwrap() * NANOSECONDS_PER_SECOND)
            .collect();
        Series::from_points(timestamps_ns, vec![1.0; points]).unwrap()
    }

    #[test]
    fn a_large_metric_is_cut_and_small_ones_share() {
        let n = POINTS_PER_BATCH;
        let metrics = [
            ("a", 3),
            ("big", 2 * n + 1),
            ("b", n - 3),
            ("c", 1),
            ("d", 0),
        ];
        let chains = chains(
            metrics
                .iter()
                .map(|(name, points)| ((*name).into(), series(*points)))
                .collect(),
        );
        let sizes: Vec<Vec<usize>> = chains
            .iter()
            .map(|chain| chain.iter().map(Batch::points).collect())
            .collect();
        assert_eq!(sizes, [vec![n, n, 1], vec![n], vec![1]]);
        assert!(super::chains(Vec::new()).is_empty());
    }

    #[test]
    fn a_shared_batch_can_be_parted() {
        let mut chains = chains(vec![("a".into(), series(3)), ("b".into(), series(2))]);
        let batch = chains.remove(0).remove(0);
        assert!(batch.is_shared());
        let parts: Vec<_> = batch
            .into_single()
            .map(|part| (part.first_metric().to_owned(), part.points()))
            .collect();
        assert_eq!(parts, [("a".to_owned(), 3), ("b".to_owned(), 2)]);
    }

    #[test]
    fn bodies_are_json() {
        let made =
            Series::from_points(vec![1_000_000_000, 2_000_000_000], vec![0.1, 1e300]).unwrap();
        let chains = chains(vec![("é\"".into(), made)]);
        let body: serde_json::Value =
            serde_json::from_str(&chains[0][0].body("r", Some("low"))).unwrap();
        let expected = serde_json::json!({"r": {"é\"": {
            "measures": [{"timestamp": 1, "value": 0.1}, {"timestamp": 2, "value": 1e300}],
            "archive_policy_name": "low",
        }}});
        assert_eq!(body, expected);
    }

    #[test]
    fn fractions_of_seconds_are_exact() {
        let made = Series::from_points(
            vec![1_000_000_000, 1_425_652_437_123_456_789],
            vec![1.0, 2.0],
        )
        .unwrap();
        let body = chains(vec![("m".into(), made)])[0][0].body("r", None);
        assert_eq!(
            body,
            r#"{"r":{"m":{"measures":[{"timestamp":"1970-01-01T00:00:01Z","value":1.0},{"timestamp":"2015-03-06T14:33:57.123456789Z","value":2.0}]}}}"#
        );
    }
}
