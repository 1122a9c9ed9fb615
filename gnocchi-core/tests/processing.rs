//! Any interleaving of appends, turns, reads, failures and restarts gives what one clean store gives.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails where it must not has failed the test"
)]

use std::sync::Arc;

use carbonara::{AggregationMethod, Series, Timespan};
use gnocchi_core::clock::SystemClock;
use gnocchi_core::conformance::fault::{Fault, FaultPlan, FaultyIncoming, FaultyStorage};
use gnocchi_core::driver::{BacklogDetails, SackCount};
use gnocchi_core::memory::{MemoryCoordinator, MemoryIncoming, MemoryIndexer, MemoryStorage};
use gnocchi_core::model::{ArchivePolicy, Definition, Measures, Metric, MetricId, NewMetric};
use gnocchi_core::query::{LevelMeasures, MeasuresQuery};
use gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use proptest::prelude::*;

/// What a process loses when it dies is only what it holds in memory: the drivers stay.
struct World {
    drivers: Drivers,
    commits: FaultPlan,
    acknowledgements: FaultPlan,
    store: Gnocchi,
}

impl World {
    fn new() -> Self {
        let (commits, acknowledgements) = (FaultPlan::default(), FaultPlan::default());
        let incoming = Arc::new(MemoryIncoming::new(
            SackCount::new(2).unwrap(),
            Arc::new(SystemClock),
        ));
        let drivers = Drivers {
            indexer: Arc::new(MemoryIndexer::new()),
            incoming: Arc::new(FaultyIncoming::new(incoming, acknowledgements.clone())),
            storage: Arc::new(FaultyStorage::new(
                Arc::new(MemoryStorage::new()),
                commits.clone(),
            )),
            coordinator: Arc::new(MemoryCoordinator::new()),
            clock: Arc::new(SystemClock),
        };
        let store = Gnocchi::new(drivers.clone(), Settings::default());
        Self {
            drivers,
            commits,
            acknowledgements,
            store,
        }
    }

    /// A new process on the same drivers; leases of the old one are gone, as after their time.
    fn restart(&mut self) {
        self.drivers.coordinator = Arc::new(MemoryCoordinator::with_first_fence(next_fence()));
        self.store = Gnocchi::new(self.drivers.clone(), Settings::default());
    }

    async fn prepare(&self, policy: &ArchivePolicy, metrics: &[NewMetric]) -> Vec<Arc<Metric>> {
        self.store.upgrade(DefaultPolicies::Skip).await.unwrap();
        self.store.create_archive_policy(policy).await.unwrap();
        self.store.create_metrics(metrics.to_vec()).await.unwrap()
    }
}

/// Grows over the whole test run, as fences must.
fn next_fence() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static FENCES: AtomicU64 = AtomicU64::new(1000);
    FENCES.fetch_add(1000, Ordering::Relaxed)
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(usize, Vec<(u16, i8)>)>),
    Process,
    ProcessWithFaults {
        commits: Vec<Fault>,
        acknowledgements: Vec<Fault>,
    },
    Restart,
    Read,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![Just(Fault::None), Just(Fault::Before), Just(Fault::After)]
}

fn step() -> impl Strategy<Value = Step> {
    let points = prop::collection::vec((0..4000u16, -20..20i8), 1..12);
    let faults = || prop::collection::vec(fault(), 0..4);
    prop_oneof![
        5 => prop::collection::vec((0..2usize, points), 1..3).prop_map(Step::Append),
        2 => Just(Step::Process),
        2 => (faults(), faults()).prop_map(|(commits, acknowledgements)| Step::ProcessWithFaults { commits, acknowledgements }),
        1 => Just(Step::Restart),
        2 => Just(Step::Read),
    ]
}

fn policy() -> impl Strategy<Value = ArchivePolicy> {
    // Blocks of half seconds end after 30 minutes, so the points cross one and it is sealed.
    let levels = prop::sample::subsequence(vec![500i64, 7_000, 10_000, 60_000, 600_000], 1..=5);
    let methods = prop::sample::subsequence(
        vec![
            "mean",
            "std",
            "last",
            "95pct",
            "rate:mean",
            "rate:max",
            "median",
            "min",
        ],
        1..=4,
    );
    (levels, methods, 0..3u32, prop::option::of(1..200u64)).prop_map(
        |(levels, methods, back_window, points)| {
            let definition = levels
                .iter()
                .map(|milliseconds| Timespan::from_nanosecond(milliseconds * 1_000_000).unwrap())
                .map(|granularity| Definition::new(Some(granularity), points, None).unwrap())
                .collect();
            let mut methods: Vec<AggregationMethod> =
                methods.iter().map(|text| text.parse().unwrap()).collect();
            methods.push("count".parse().unwrap());
            ArchivePolicy::new("policy", back_window, definition, methods).unwrap()
        },
    )
}

fn measures(metrics: &[Arc<Metric>], batch: &[(usize, Vec<(u16, i8)>)]) -> Vec<Measures> {
    // One request has each metric once.
    let mut by_metric: Vec<(Vec<i64>, Vec<f64>)> = vec![(Vec::new(), Vec::new()); metrics.len()];
    for (metric, points) in batch {
        for (second, value) in points {
            by_metric[*metric]
                .0
                .push(i64::from(*second) * 1_000_000_000);
            by_metric[*metric].1.push(f64::from(*value));
        }
    }
    metrics
        .iter()
        .zip(by_metric)
        .filter(|(_, (timestamps, _))| !timestamps.is_empty())
        .map(|(metric, (timestamps, values))| Measures {
            metric: metric.id,
            series: Series::from_points(timestamps, values).unwrap(),
        })
        .collect()
}

async fn answers(store: &Gnocchi, metrics: &[Arc<Metric>]) -> Vec<Vec<LevelMeasures>> {
    let mut answers = Vec::new();
    for metric in metrics {
        for method in metric.archive_policy.aggregation_methods() {
            let query = MeasuresQuery {
                method: *method,
                granularity: None,
                start: None,
                stop: None,
                resample: None,
            };
            answers.push(store.measures(metric, &query).await.unwrap());
        }
    }
    answers
}

fn new_metrics() -> Vec<NewMetric> {
    let new = |number| NewMetric {
        id: MetricId::from_u128(number),
        ..NewMetric::new(None, "policy", None, None, None).unwrap()
    };
    (0..2).map(new).collect()
}

async fn run(policy: &ArchivePolicy, steps: &[Step]) -> Result<(), TestCaseError> {
    let new = new_metrics();
    let mut tried = World::new();
    let clean = World::new();
    let metrics = tried.prepare(policy, &new).await;
    clean.prepare(policy, &new).await;
    for step in steps {
        match step {
            Step::Append(batch) => {
                let batch = measures(&metrics, batch);
                tried.store.append(batch.clone()).await.unwrap();
                clean.store.append(batch).await.unwrap();
                clean.store.process().await.unwrap();
            }
            Step::Process => tried.store.process().await.unwrap(),
            Step::ProcessWithFaults {
                commits,
                acknowledgements,
            } => {
                tried.commits.plan(commits.iter().copied());
                tried
                    .acknowledgements
                    .plan(acknowledgements.iter().copied());
                let _ = tried.store.process().await;
                tried.commits.clear();
                tried.acknowledgements.clear();
            }
            Step::Restart => tried.restart(),
            Step::Read => prop_assert_eq!(
                answers(&tried.store, &metrics).await,
                answers(&clean.store, &metrics).await
            ),
        }
    }
    prop_assert_eq!(
        answers(&tried.store, &metrics).await,
        answers(&clean.store, &metrics).await,
        "with pending measures"
    );
    tried.store.process().await.unwrap();
    prop_assert_eq!(
        tried
            .store
            .backlog(BacklogDetails::Summary)
            .await
            .unwrap()
            .points,
        0
    );
    prop_assert_eq!(
        answers(&tried.store, &metrics).await,
        answers(&clean.store, &metrics).await,
        "with everything folded"
    );
    tried.restart();
    prop_assert_eq!(
        answers(&tried.store, &metrics).await,
        answers(&clean.store, &metrics).await,
        "after a restart"
    );
    Ok(())
}

/// Appends and folds under faults that don't hide whether a commit happened, then returns how many points the appends reported as
/// accepted and as rejected.
async fn count(policy: &ArchivePolicy, steps: &[Step]) -> (u64, u64) {
    let mut world = World::new();
    let metrics = world.prepare(policy, &new_metrics()).await;
    let (mut accepted, mut rejected) = (0, 0);
    for step in steps {
        match step {
            Step::Append(batch) => {
                let batch = measures(&metrics, batch);
                let sent: usize = batch.iter().map(|one| one.series.len()).sum();
                let preview = world.store.preview(&batch).await.unwrap();
                let appended = world.store.append(batch).await.unwrap();
                assert_eq!(preview, appended.rejected);
                let refused: usize = preview.iter().map(|rejection| rejection.points).sum();
                assert_eq!(appended.accepted + refused, sent);
                accepted += appended.accepted as u64;
                rejected += refused as u64;
            }
            Step::Process => world.store.process().await.unwrap(),
            Step::ProcessWithFaults {
                commits,
                acknowledgements,
            } => {
                world.commits.plan(
                    commits
                        .iter()
                        .copied()
                        .filter(|fault| *fault != Fault::After),
                );
                world
                    .acknowledgements
                    .plan(acknowledgements.iter().copied());
                let _ = world.store.process().await;
                world.commits.clear();
                world.acknowledgements.clear();
            }
            Step::Restart => world.restart(),
            Step::Read => {}
        }
    }
    world.store.process().await.unwrap();
    (accepted, rejected)
}

/// Returns how many points were counted as accepted and as rejected.
fn counted(recorder: &DebuggingRecorder) -> (u64, u64) {
    let (mut accepted, mut rejected) = (0, 0);
    for (key, .., value) in recorder.snapshotter().snapshot().into_vec() {
        let DebugValue::Counter(count) = value else {
            continue;
        };
        match key.key().name() {
            "gnocchi_measures_accepted_total" => accepted += count,
            "gnocchi_measures_rejected_total" => rejected += count,
            _ => {}
        }
    }
    (accepted, rejected)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_gives_what_a_clean_store_gives(policy in policy(), steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&policy, &steps))?;
    }

    #[test]
    fn every_point_is_counted_once_as_it_was_reported(policy in policy(), steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let recorder = DebuggingRecorder::new();
        let reported = metrics::with_local_recorder(&recorder, || runtime.block_on(count(&policy, &steps)));
        prop_assert_eq!(counted(&recorder), reported);
    }
}
