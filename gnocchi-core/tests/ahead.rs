//! Points ahead of the clock: what is logged and counted. One test alone, because a message that is first met by a thread that logs
//! nowhere can be lost to others.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails where it must not has failed the test"
)]

use std::sync::{Arc, Mutex};

use carbonara::{Series, Timespan, Timestamp};
use gnocchi_core::clock::ManualClock;
use gnocchi_core::model::{ArchivePolicy, Definition, Measures, MetricId, NewMetric, RejectReason};
use gnocchi_core::{AppendOptions, DefaultPolicies, Drivers, Gnocchi, Settings, memory};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

fn span(second: i64) -> Timespan {
    Timespan::from_second(second).unwrap()
}

/// A store whose clock shows 10 000, with a metric.
struct Fixture {
    store: Gnocchi,
    metric: MetricId,
}

impl Fixture {
    async fn new(settings: Settings) -> Self {
        let now = Timestamp::from_second(10_000).unwrap();
        let drivers = Drivers {
            clock: Arc::new(ManualClock::new(now)),
            ..memory::drivers()
        };
        let store = Gnocchi::new(drivers, settings);
        store.upgrade(DefaultPolicies::Skip).await.unwrap();
        let minutes = Definition::new(Some(span(60)), Some(100), None).unwrap();
        let policy = ArchivePolicy::new("minutes", 1, vec![minutes], vec!["mean".parse().unwrap()]);
        store.create_archive_policy(&policy.unwrap()).await.unwrap();
        let metric = NewMetric::new(None, "minutes", None, None, None).unwrap();
        let metric = store.create_metrics(vec![metric]).await.unwrap().remove(0);
        Self {
            store,
            metric: metric.id,
        }
    }

    fn measures(&self, seconds: &[i64]) -> Measures {
        let timestamps = seconds
            .iter()
            .map(|second| second * 1_000_000_000)
            .collect();
        Measures {
            metric: self.metric,
            series: Series::from_points(timestamps, vec![1.0; seconds.len()]).unwrap(),
        }
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn points_more_than_an_hour_ahead_are_logged_now_and_then_and_counted() {
    let (log, recorder) = (Log::default(), DebuggingRecorder::new());
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let _recording = metrics::set_default_local_recorder(&recorder);
    let lines = || {
        let bytes = std::mem::take(&mut *log.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let unlimited = Fixture::new(Settings::default()).await;
    let options = AppendOptions {
        sender: Some(&"the cellar"),
        ..AppendOptions::default()
    };
    let send = async |fixture: &Fixture, seconds: &[i64]| {
        let measures = vec![fixture.measures(seconds)];
        fixture.store.append_with(measures, options).await.unwrap()
    };
    assert_eq!(send(&unlimited, &[13_600]).await.accepted, 1);
    assert_eq!(lines(), [""; 0]);
    assert_eq!(
        send(&unlimited, &[13_600, 13_601, 90_000]).await.accepted,
        3
    );
    let logged = lines();
    let [line] = logged.as_slice() else {
        panic!("{logged:?}")
    };
    for part in [
        "WARN",
        "points more than an hour ahead of the clock",
        &unlimited.metric.to_string(),
        "\"the cellar\"",
        "1970-01-02T01:00:00Z",
        "points=2",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    send(&unlimited, &[90_001]).await;
    assert_eq!(lines(), [""; 0], "one is logged for each interval");

    let limited = Fixture::new(Settings {
        max_future: Some(span(7200)),
        ..Settings::default()
    })
    .await;
    let appended = send(&limited, &[17_200, 17_201]).await;
    assert_eq!(appended.accepted, 1);
    assert_eq!(appended.rejected[0].reason, RejectReason::TooFarAhead);
    let logged = lines();
    let rejected = logged.iter().find(|line| line.contains("max_future"));
    assert!(rejected.unwrap().contains("points=1"), "{logged:?}");
    let counters: Vec<(String, DebugValue)> = recorder
        .snapshotter()
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, .., value)| (key.key().name().to_owned(), value))
        .collect();
    let counted = |name: &str| {
        let found = counters.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value)
    };
    assert_eq!(
        counted("gnocchi_measures_ahead_total"),
        Some(&DebugValue::Counter(4))
    );
    assert_eq!(
        counted("gnocchi_measures_rejected_total"),
        Some(&DebugValue::Counter(1))
    );
}
