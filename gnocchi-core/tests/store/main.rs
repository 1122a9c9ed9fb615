//! The facade over memory drivers.

#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a step that fails where it must not has failed the test; the numbers are small"
)]

mod arrivals;
mod named;

use std::sync::Arc;
use std::time::Duration;

use carbonara::{Series, Timespan, Timestamp};
use gnocchi_core::clock::ManualClock;
use gnocchi_core::driver::{BacklogDetails, Commit, FrameKey, MetricChanges, StoredFrame, Stream};
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    ArchivePolicy, Definition, Measures, Metric, MetricId, NewMetric, RejectReason, Rejection,
};
use gnocchi_core::query::{LevelMeasures, MeasuresQuery};
use gnocchi_core::{
    AppendOptions, Appended, DefaultPolicies, Drivers, Error, Gnocchi, Reported, Settings,
    Shutdown, memory,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn span(second: i64) -> Timespan {
    Timespan::from_second(second).unwrap()
}

fn series(points: &[(i64, f64)]) -> Series {
    let (timestamps, values) = points
        .iter()
        .map(|(second, value)| (second * 1_000_000_000, *value))
        .unzip();
    Series::from_points(timestamps, values).unwrap()
}

struct Fixture {
    store: Gnocchi,
    drivers: Drivers,
    metric: Arc<Metric>,
}

impl Fixture {
    async fn new(settings: Settings) -> Self {
        let drivers = Drivers {
            clock: Arc::new(ManualClock::new(at(10_000))),
            ..memory::drivers()
        };
        let store = Gnocchi::new(drivers.clone(), settings);
        store.upgrade(DefaultPolicies::Skip).await.unwrap();
        let minutes = Definition::new(Some(span(60)), Some(100), None).unwrap();
        let methods = ["mean", "count"].map(|text| text.parse().unwrap()).to_vec();
        store
            .create_archive_policy(
                &ArchivePolicy::new("minutes", 1, vec![minutes], methods).unwrap(),
            )
            .await
            .unwrap();
        let metric = NewMetric::new(None, "minutes", None, None, None).unwrap();
        let metric = store.create_metrics(vec![metric]).await.unwrap().remove(0);
        Self {
            store,
            drivers,
            metric,
        }
    }

    async fn append(&self, points: &[(i64, f64)]) -> Appended {
        self.store
            .append(vec![self.measures(points)])
            .await
            .unwrap()
    }

    fn measures(&self, points: &[(i64, f64)]) -> Measures {
        Measures {
            metric: self.metric.id,
            series: series(points),
        }
    }

    async fn read(&self, method: &str) -> Result<Vec<LevelMeasures>, Error> {
        let query = MeasuresQuery {
            method: method.parse().unwrap(),
            granularity: None,
            start: None,
            stop: None,
            resample: None,
        };
        self.store.measures(&self.metric, &query).await
    }

    /// Stores the frame of a stream once more, damaged, under a key of its own or in place.
    async fn damage(&self, stream: Stream, sequences_later: u64) {
        let frames = self.drivers.storage.frames(self.metric.id).await.unwrap();
        let good = frames
            .iter()
            .find(|frame| frame.key.stream == stream)
            .unwrap();
        let mut bytes = good.bytes.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        let key = FrameKey {
            sequence: good.key.sequence + sequences_later,
            ..good.key
        };
        let put = vec![StoredFrame {
            key,
            bytes: bytes.into(),
        }];
        let changes = MetricChanges {
            metric: self.metric.id,
            removed: Vec::new(),
            put,
        };
        let sack = self.drivers.incoming.sacks().sack_of(self.metric.id);
        let fence = 500;
        let state = self.drivers.storage.acquire(sack, fence).await.unwrap();
        let commit = Commit {
            receipt: None,
            sequence: state.sequence + 1,
            metrics: vec![changes],
        };
        self.drivers
            .storage
            .commit(sack, fence, commit)
            .await
            .unwrap();
    }

    /// A new process, which knows only what is stored.
    fn restart(&mut self) {
        self.drivers.coordinator = Arc::new(memory::MemoryCoordinator::with_first_fence(1_000));
        self.store = Gnocchi::new(self.drivers.clone(), Settings::default());
    }

    async fn means(&self) -> Series {
        self.read("mean").await.unwrap().remove(0).series
    }
}

#[tokio::test]
async fn what_is_acknowledged_is_readable_at_once_and_after_folding() {
    let fixture = Fixture::new(Settings::default()).await;
    fixture.append(&[(60, 1.0), (61, 3.0), (120, 5.0)]).await;
    assert_eq!(fixture.means().await, series(&[(60, 2.0), (120, 5.0)]));
    fixture.store.process().await.unwrap();
    assert_eq!(
        fixture
            .store
            .backlog(BacklogDetails::Summary)
            .await
            .unwrap()
            .points,
        0
    );
    assert_eq!(fixture.means().await, series(&[(60, 2.0), (120, 5.0)]));
}

#[tokio::test]
async fn a_deleted_metric_is_gone_at_once_and_its_data_when_the_janitor_comes() {
    let fixture = Fixture::new(Settings::default()).await;
    fixture.append(&[(60, 1.0)]).await;
    fixture.store.process().await.unwrap();
    fixture.append(&[(120, 1.0)]).await;
    fixture
        .store
        .delete_metrics(&[fixture.metric.id])
        .await
        .unwrap();
    let gone = fixture.store.metric(fixture.metric.id).await.unwrap_err();
    assert!(
        matches!(gone, Error::Indexer(IndexerError::NoSuchMetric { id }) if id == fixture.metric.id)
    );
    assert!(
        !fixture
            .drivers
            .storage
            .frames(fixture.metric.id)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(fixture.store.expunge().await.unwrap(), 1);
    assert!(
        fixture
            .drivers
            .storage
            .frames(fixture.metric.id)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        fixture
            .drivers
            .incoming
            .backlog(BacklogDetails::Summary)
            .await
            .unwrap()
            .points,
        0
    );
    assert_eq!(fixture.store.expunge().await.unwrap(), 0);
}

#[tokio::test]
async fn what_a_policy_does_not_keep_is_named() {
    let fixture = Fixture::new(Settings::default()).await;
    let unknown = fixture.read("95pct").await.unwrap_err();
    assert!(
        matches!(unknown, Error::UnknownAggregation { method, .. } if method.to_string() == "95pct")
    );
    let query = MeasuresQuery {
        method: "mean".parse().unwrap(),
        granularity: Some(span(42)),
        start: None,
        stop: None,
        resample: None,
    };
    let unknown = fixture
        .store
        .measures(&fixture.metric, &query)
        .await
        .unwrap_err();
    assert!(
        matches!(unknown, Error::UnknownGranularity { granularity, .. } if granularity == span(42))
    );
}

#[tokio::test]
async fn a_damaged_frame_makes_the_read_fail_and_is_named() {
    let fixture = Fixture::new(Settings::default()).await;
    fixture.append(&[(60, 1.0)]).await;
    fixture.store.process().await.unwrap();
    fixture.damage(Stream::Level(span(60)), 1).await;
    let error = fixture.read("mean").await.unwrap_err();
    assert!(
        matches!(&error, Error::Damaged { metric, .. } if *metric == fixture.metric.id),
        "{error}"
    );
    assert!(
        error.to_string().contains("block 0 of granularity 60 s"),
        "{error}"
    );
}

#[tokio::test]
async fn workers_fold_on_arrival_and_stop_when_told() {
    let fixture = Fixture::new(Settings {
        processing_delay: Duration::from_hours(1),
        ..Settings::default()
    })
    .await;
    let shutdown = Shutdown::new();
    let running = tokio::spawn({
        let (store, shutdown) = (fixture.store.clone(), shutdown.clone());
        async move { store.run(shutdown).await }
    });
    fixture.append(&[(60, 1.0)]).await;
    tokio::time::timeout(Duration::from_secs(10), async {
        while fixture
            .store
            .backlog(BacklogDetails::Summary)
            .await
            .unwrap()
            .points
            > 0
        {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("measures are folded long before the next scan");
    let status = fixture.store.processing_status().await.unwrap().unwrap();
    assert_eq!(status.len(), 1);
    shutdown.begin();
    tokio::time::timeout(Duration::from_secs(10), running)
        .await
        .expect("workers stop")
        .unwrap()
        .unwrap();
    assert_eq!(fixture.store.processing_status().await.unwrap(), None);
}

#[tokio::test]
async fn sealed_and_folded_blocks_read_the_same() {
    let fixture = Fixture::new(Settings::default()).await;
    // More than a block of minutes in many small commits.
    for start in (0..5_000_i64).step_by(40) {
        let points: Vec<(i64, f64)> = (start..start + 40)
            .map(|minute| (minute * 60, minute as f64))
            .collect();
        fixture.append(&points).await;
        fixture.store.process().await.unwrap();
    }
    let means = fixture.means().await;
    let expected: Vec<(i64, f64)> = (4_900..5_000)
        .map(|minute| (minute * 60, minute as f64))
        .collect();
    // The policy keeps 100 points.
    assert_eq!(means, series(&expected[..]));
    let frames = fixture
        .drivers
        .storage
        .frames(fixture.metric.id)
        .await
        .unwrap();
    let blocks: Vec<u64> = frames
        .iter()
        .filter(|frame| frame.key.stream == Stream::Level(span(60)))
        .map(|frame| frame.key.block)
        .collect();
    assert!(
        blocks.iter().all(|block| *block == 1),
        "the first block has expired: {blocks:?}"
    );
}

#[tokio::test]
async fn a_back_window_that_grows_does_not_reopen_what_was_dropped() {
    let mut fixture = Fixture::new(Settings::default()).await;
    let kept_for_ever = || vec![Definition::new(Some(span(60)), None, None).unwrap()];
    fixture
        .store
        .update_archive_policy("minutes", kept_for_ever(), None)
        .await
        .unwrap();
    fixture.append(&[(60, 1.0), (61, 3.0)]).await;
    fixture.append(&[(20_000, 7.0)]).await;
    fixture.store.process().await.unwrap();
    fixture
        .store
        .update_archive_policy("minutes", kept_for_ever(), Some(100_000))
        .await
        .unwrap();
    fixture.restart();
    fixture.metric = fixture.store.metric(fixture.metric.id).await.unwrap();
    fixture.append(&[(62, 5.0), (18_500, 9.0)]).await;
    let expected = series(&[(60, 2.0), (18_480, 9.0), (19_980, 7.0)]);
    assert_eq!(fixture.means().await, expected, "while pending");
    fixture.store.process().await.unwrap();
    assert_eq!(fixture.means().await, expected, "when folded");
}

#[tokio::test]
async fn a_damaged_raw_window_is_named_to_readers_and_closed_for_writers() {
    let mut fixture = Fixture::new(Settings::default()).await;
    fixture.append(&[(60, 1.0), (61, 3.0)]).await;
    fixture.store.process().await.unwrap();
    fixture.damage(Stream::Window, 0).await;
    fixture.restart();
    let error = fixture.read("mean").await.unwrap_err();
    assert!(
        error.to_string().contains("block 0 of the raw window"),
        "{error}"
    );
    // The damaged block is an hour: what lies in it is late now, so its rows stay as they were.
    let appended = fixture.append(&[(62, 100.0), (3_700, 7.0)]).await;
    assert_eq!((appended.accepted, appended.rejected[0].points), (1, 1));
    fixture.store.process().await.unwrap();
    assert_eq!(fixture.means().await, series(&[(60, 2.0), (3_660, 7.0)]));
}

#[tokio::test]
async fn measures_of_unknown_metrics_are_refused_before_anything_is_stored() {
    let fixture = Fixture::new(Settings::default()).await;
    let unknown = Measures {
        metric: MetricId::from_u128(1),
        series: series(&[(60, 1.0)]),
    };
    let error = fixture
        .store
        .append(vec![fixture.measures(&[(60, 1.0)]), unknown])
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Indexer(IndexerError::NoSuchMetric { id }) if id == MetricId::from_u128(1))
    );
    assert_eq!(
        fixture
            .store
            .backlog(BacklogDetails::Summary)
            .await
            .unwrap()
            .points,
        0
    );
}

#[tokio::test]
async fn timers_of_zero_are_no_panic() {
    let settings = Settings {
        processing_delay: Duration::ZERO,
        cleanup_delay: Duration::ZERO,
        reporting_delay: Some(Duration::ZERO),
        ..Settings::default()
    };
    let fixture = Fixture::new(settings).await;
    let shutdown = Shutdown::new();
    let running = tokio::spawn({
        let (store, shutdown) = (fixture.store.clone(), shutdown.clone());
        async move { store.run(shutdown).await }
    });
    fixture.append(&[(60, 1.0)]).await;
    while fixture
        .store
        .backlog(BacklogDetails::Summary)
        .await
        .unwrap()
        .points
        > 0
    {
        tokio::task::yield_now().await;
    }
    shutdown.begin();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deletion_calls_the_janitor() {
    let fixture = Fixture::new(Settings {
        cleanup_delay: Duration::from_hours(1),
        ..Settings::default()
    })
    .await;
    let shutdown = Shutdown::new();
    let running = tokio::spawn({
        let (store, shutdown) = (fixture.store.clone(), shutdown.clone());
        async move { store.run(shutdown).await }
    });
    // His first visit comes with the start.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let deleted = fixture.metric.id;
    fixture.store.delete_metrics(&[deleted]).await.unwrap();
    let indexer = &fixture.drivers.indexer;
    assert_eq!(indexer.deleted_metrics(10).await.unwrap(), [deleted]);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(indexer.deleted_metrics(10).await.unwrap().is_empty());
    shutdown.begin();
    running.await.unwrap().unwrap();
}
