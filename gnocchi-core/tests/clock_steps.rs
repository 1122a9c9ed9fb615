//! A clock that steps forwards and backwards changes no aggregate, loses no point, and orders no history wrongly.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails where it must not has failed the test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use carbonara::{Series, Timespan, Timestamp};
use gnocchi_core::clock::ManualClock;
use gnocchi_core::driver::{BacklogDetails, ResourceQuery, SackCount};
use gnocchi_core::memory::{MemoryCoordinator, MemoryIncoming, MemoryIndexer, MemoryStorage};
use gnocchi_core::model::{
    ArchivePolicy, Change, Definition, GENERIC, Measures, Metric, NewMetric, NewResource,
    ResourceId, ResourceUpdate,
};
use gnocchi_core::query::{LevelMeasures, MeasuresQuery};
use gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings};
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000;

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A store and its clock.
struct World {
    clock: Arc<ManualClock>,
    store: Gnocchi,
    metric: Arc<Metric>,
}

impl World {
    async fn new(settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::new(second(NOW)));
        let sacks = SackCount::new(2).unwrap();
        let drivers = Drivers {
            indexer: Arc::new(MemoryIndexer::new()),
            incoming: Arc::new(MemoryIncoming::new(
                sacks,
                Arc::<ManualClock>::clone(&clock),
            )),
            storage: Arc::new(MemoryStorage::new()),
            coordinator: Arc::new(MemoryCoordinator::new()),
            clock: Arc::<ManualClock>::clone(&clock),
        };
        let store = Gnocchi::new(drivers, settings);
        store.upgrade(DefaultPolicies::Skip).await.unwrap();
        let span = |second| Timespan::from_second(second).unwrap();
        let levels =
            [10, 60].map(|step| Definition::new(Some(span(step)), Some(100), None).unwrap());
        let methods = ["mean", "last", "rate:max"].map(|method| method.parse().unwrap());
        let policy = ArchivePolicy::new("p", 1, levels.to_vec(), methods.to_vec()).unwrap();
        store.create_archive_policy(&policy).await.unwrap();
        let metric = NewMetric::new(None, "p", None, None, None).unwrap();
        let metric = store.create_metrics(vec![metric]).await.unwrap().remove(0);
        Self {
            clock,
            store,
            metric,
        }
    }

    /// Sends points at seconds of the wall clock of the sender; returns how many are accepted and rejected.
    async fn append(&self, seconds: &[i64]) -> (usize, usize) {
        let mut seconds = seconds.to_vec();
        seconds.sort_unstable();
        seconds.dedup();
        let values = seconds
            .iter()
            .map(|second| f64::from(u8::try_from(second % 7).unwrap()));
        let timestamps = seconds.iter().map(|second| second * 1_000_000_000);
        let measures = Measures {
            metric: self.metric.id,
            series: Series::from_points(timestamps.collect(), values.collect()).unwrap(),
        };
        let sent = seconds.len();
        let appended = self.store.append(vec![measures]).await.unwrap();
        let rejected = appended.rejected.iter().map(|one| one.points).sum();
        assert_eq!(appended.accepted + rejected, sent);
        (appended.accepted, rejected)
    }

    async fn read(&self) -> Vec<LevelMeasures> {
        let mut read = Vec::new();
        for method in ["mean", "last", "rate:max"] {
            let query = MeasuresQuery {
                method: method.parse().unwrap(),
                granularity: None,
                start: None,
                stop: None,
                resample: None,
            };
            read.extend(self.store.measures(&self.metric, &query).await.unwrap());
        }
        read
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<i64>),
    Process,
    /// The clock shows another time from now on, years away or the same.
    Clock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let points = prop::collection::vec(NOW..NOW + 2000, 1..20);
    let years = prop_oneof![
        Just(0),
        -60..60i64,
        Just(-50 * 365 * 86_400),
        Just(200 * 365 * 86_400)
    ];
    prop_oneof![
        3 => points.prop_map(Step::Append),
        1 => Just(Step::Process),
        2 => years.prop_map(Step::Clock),
    ]
}

/// Plays steps on a store whose clock steps and on one whose clock stands still.
async fn play(steps: &[Step]) -> Result<(), TestCaseError> {
    let stepping = World::new(Settings::default()).await;
    let still = World::new(Settings::default()).await;
    for step in steps {
        match step {
            Step::Append(seconds) => {
                prop_assert_eq!(stepping.append(seconds).await, still.append(seconds).await);
            }
            Step::Process => stepping.store.process().await.unwrap(),
            Step::Clock(by) => stepping.clock.set(second(NOW + by)),
        }
        // However old what is pending seems to be, it can be told.
        stepping
            .store
            .backlog(BacklogDetails::Summary)
            .await
            .unwrap();
        prop_assert_eq!(stepping.read().await, still.read().await);
    }
    stepping.store.process().await.unwrap();
    prop_assert_eq!(stepping.read().await, still.read().await);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn aggregates_do_not_depend_on_the_clock(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(&steps))?;
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_rejects_points_and_loses_none() {
    let world = World::new(Settings {
        max_future: Some(Timespan::from_second(60).unwrap()),
        ..Settings::default()
    })
    .await;
    assert_eq!(world.append(&[NOW, NOW + 60]).await, (2, 0));
    // An hour back: senders with the right time are ahead now and are told so; what is not ahead is too old.
    world.clock.set(second(NOW - 3600));
    assert_eq!(world.append(&[NOW + 61, NOW - 3600 + 60]).await, (0, 2));
    let before = world.read().await;
    world.store.process().await.unwrap();
    assert_eq!(world.read().await, before);
    // And right again.
    world.clock.set(second(NOW + 70));
    assert_eq!(world.append(&[NOW + 61]).await, (1, 0));
}

#[tokio::test]
async fn the_history_of_a_resource_goes_forwards_whatever_the_clock_does() {
    let world = World::new(Settings::default()).await;
    let id = ResourceId::from_original("r", None).unwrap();
    let resource = NewResource {
        id,
        resource_type: GENERIC.to_owned(),
        creator: None,
        original_resource_id: id.to_string(),
        started_at: second(NOW),
        ended_at: None,
        user_id: None,
        project_id: None,
        attributes: BTreeMap::new(),
        metrics: BTreeMap::new(),
    };
    world.store.create_resource(&resource).await.unwrap();
    for (number, by) in [100, -100_000, 0, 0, 5_000_000_000, -5_000_000]
        .into_iter()
        .enumerate()
    {
        world.clock.set(second(NOW + by));
        let update = ResourceUpdate {
            user_id: Change::Set(Some(number.to_string())),
            ..ResourceUpdate::default()
        };
        world
            .store
            .update_resource(GENERIC, id, &update)
            .await
            .unwrap();
    }
    let history = ResourceQuery {
        history: true,
        ..ResourceQuery::of_type(GENERIC)
    };
    let revisions = world.store.list_resources(&history).await.unwrap();
    assert_eq!(revisions.len(), 7);
    let mut begins: Vec<Timestamp> = revisions.iter().map(|one| one.revision_start).collect();
    begins.sort_unstable();
    begins.dedup();
    assert_eq!(begins.len(), 7, "no two revisions begin at the same time");
    for revision in &revisions {
        assert!(
            revision
                .revision_end
                .is_none_or(|end| end > revision.revision_start)
        );
    }
    let newest = world.store.resource(GENERIC, id).await.unwrap();
    assert_eq!(newest.user_id.as_deref(), Some("5"));
}
