//! Stores with a bit of everything in them, and their copies.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use carbonara::{Series, Timespan};
use gnocchi_core::model::{ArchivePolicy, Definition, Measures, MetricId, NewMetric};
use gnocchi_core::query::MeasuresQuery;
use gnocchi_core::{DefaultPolicies, Error, Gnocchi};
use gnocchi_drivers::embedded::{EmbeddedConfig, Store, StoreConfig};
use tempfile::TempDir;

/// What can be read of a store: policies, and the rows of each metric, granularity and method.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Content {
    policies: Vec<String>,
    /// Metric and method to the points of each granularity.
    rows: BTreeMap<(MetricId, &'static str), Vec<Rows>>,
}

/// A granularity, its timestamps and their values.
type Rows = (String, Vec<i64>, Vec<f64>);

const METHODS: [&str; 3] = ["count", "sum", "max"];
const METRICS: u128 = 5;
/// How many of them are created when the store is new; the others are when it was opened again.
const FIRST_METRICS: u128 = 3;
const POLICY: &str = "minutes and hours";

/// A generator that is told where to begin.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// Makes a folder for files that are soon gone, in memory where that is possible.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Returns the files below a folder, with their paths below it.
pub(crate) fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                folders.push(entry);
            } else {
                files.push(entry.strip_prefix(path).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

/// Copies a folder and everything in it.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Describes a store that writes tables early.
pub(crate) fn config(path: &Path) -> StoreConfig {
    let config = StoreConfig::new(path);
    StoreConfig {
        embedded: EmbeddedConfig {
            log_memory_bytes: 32 << 10,
            frames_memory_bytes: 32 << 10,
            ..config.embedded
        },
        default_policies: DefaultPolicies::Create,
        ..config
    }
}

fn metric_id(store: u128, number: u128) -> MetricId {
    // All over the place, as random ones are.
    MetricId::from_u128(
        (number + 1).wrapping_mul(0x1234_5678_9abc_def0_0fed_cba9_8765_4321) ^ store,
    )
}

/// The measures of one append: a run of seconds for each metric.
fn batch(store: u128, metrics: u128, round: i64) -> Vec<Measures> {
    (0..metrics)
        .map(|number| {
            let first_second = 1_700_000_000 + round * 600;
            let timestamps_ns: Vec<i64> = (0..120)
                .map(|index| (first_second + index * 5) * 1_000_000_000)
                .collect();
            let values = timestamps_ns
                .iter()
                .map(|timestamp| {
                    let second = timestamp / 1_000_000_000 + i64::try_from(number).unwrap();
                    f64::from(i32::try_from(second % 97).unwrap())
                })
                .collect();
            Measures {
                metric: metric_id(store, number),
                series: Series::from_points(timestamps_ns, values).unwrap(),
            }
        })
        .collect()
}

/// Fills a new store: tables, journals, pending measures. Returns what can be read of it.
///
/// `killed` leaves it as a process leaves it that was killed. `older` gets a copy from half way.
pub(crate) async fn populate(
    path: &Path,
    store_number: u128,
    killed: bool,
    older: Option<&Path>,
) -> Content {
    let store = Store::open(config(path)).await.unwrap();
    let minutes = Definition::new(Some(Timespan::from_second(60).unwrap()), Some(10_000), None);
    let hours = Definition::new(
        Some(Timespan::from_second(3600).unwrap()),
        Some(1_000),
        None,
    );
    let methods = METHODS.map(|method| method.parse().unwrap()).to_vec();
    let definitions = vec![minutes.unwrap(), hours.unwrap()];
    let policy = |name| ArchivePolicy::new(name, 1, definitions.clone(), methods.clone()).unwrap();
    store.create_archive_policy(&policy(POLICY)).await.unwrap();
    let create_metrics = async |store: &Store, numbers: Range<u128>| {
        for number in numbers {
            let metric = NewMetric {
                id: metric_id(store_number, number),
                ..NewMetric::new(None, POLICY, Some(format!("m{number}")), None, None).unwrap()
            };
            store.create_metrics(vec![metric]).await.unwrap();
        }
    };
    create_metrics(&store, 0..FIRST_METRICS).await;
    for round in 0..40 {
        store
            .append(batch(store_number, FIRST_METRICS, round))
            .await
            .unwrap();
        store.process().await.unwrap();
    }
    store.close().await;

    // The second opening takes the space back that was set aside for the journal.
    let store = Store::open(config(path)).await.unwrap();
    if let Some(older) = older {
        copy_tree(path, older);
    }
    // These are in the log beside the database of the indexer until the store is closed.
    create_metrics(&store, FIRST_METRICS..METRICS).await;
    store.create_archive_policy(&policy("late")).await.unwrap();
    for round in 40..60 {
        store
            .append(batch(store_number, METRICS, round))
            .await
            .unwrap();
        store.process().await.unwrap();
    }
    // These wait to be folded.
    for round in 60..64 {
        store
            .append(batch(store_number, METRICS, round))
            .await
            .unwrap();
    }
    let content = read_all(store.gnocchi()).await.unwrap();
    if killed {
        let alive = path.with_extension("alive");
        // What the threads of the engine do is over soon; they note what they did every second.
        settle(path).await;
        copy_tree(path, &alive);
        store.close().await;
        fs::remove_dir_all(path).unwrap();
        fs::rename(alive, path).unwrap();
    } else {
        store.close().await;
    }
    content
}

/// Waits until no file of an open store changes for longer than the notes beside it take.
async fn settle(path: &Path) {
    let state = || -> Vec<_> {
        files_below(path)
            .into_iter()
            .filter_map(|file| {
                let metadata = fs::metadata(path.join(&file)).ok()?;
                Some((file, metadata.len(), metadata.modified().unwrap()))
            })
            .collect()
    };
    let mut last = state();
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let now = state();
        if now == last {
            return;
        }
        last = now;
    }
}

/// Reads everything that a caller can read.
pub(crate) async fn read_all(store: &Gnocchi) -> Result<Content, Error> {
    let mut content = Content::default();
    for policy in store.archive_policies().await? {
        content.policies.push(policy.name().to_owned());
    }
    let ids: Vec<MetricId> = (0..METRICS)
        .flat_map(|number| [metric_id(1, number), metric_id(2, number)])
        .collect();
    for metric in store.metrics(&ids).await?.into_iter().flatten() {
        for method in METHODS {
            let query = MeasuresQuery {
                method: method.parse().unwrap(),
                granularity: None,
                start: None,
                stop: None,
                resample: None,
            };
            let rows = store.measures(&metric, &query).await?;
            let rows = rows.into_iter().map(|level| {
                (
                    format!("{:?}", level.granularity),
                    level.series.timestamps_ns().to_vec(),
                    level.series.values().to_vec(),
                )
            });
            content.rows.insert((metric.id, method), rows.collect());
        }
    }
    Ok(content)
}
