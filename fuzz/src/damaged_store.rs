//! A store whose files are damaged: whatever is in them, nothing panics, and looking changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use carbonara::{Series, Timespan};
use gnocchi_core::Gnocchi;
use gnocchi_core::model::{ArchivePolicy, Definition, Measures, MetricId, NewMetric};
use gnocchi_core::query::MeasuresQuery;
use gnocchi_drivers::embedded::{EmbeddedConfig, Store, StoreConfig, StoreFiles};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use xxhash_rust::xxh3::xxh3_64;

/// How many things are done to a store at most.
const HARMS_MAX: usize = 8;

const METRICS: u128 = 3;

/// A store to be damaged, and what else every input needs.
struct Sample {
    folder: TempDir,
    files: Vec<PathBuf>,
    runtime: Runtime,
}

/// Whether any thread panicked.
static PANICKED: AtomicBool = AtomicBool::new(false);

fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::Relaxed);
            hook(info);
        }));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let folder = scratch();
        runtime.block_on(populate(&folder.path().join("store")));
        let files = files_below(&folder.path().join("store"));
        Sample {
            folder,
            files,
            runtime,
        }
    })
}

fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("there is room for files")
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let entry = entry.expect("a folder can be read").path();
            if entry.is_dir() {
                folders.push(entry);
            } else {
                files.push(entry.strip_prefix(path).expect("it is below").to_owned());
            }
        }
    }
    files.sort();
    files
}

fn config(path: &Path) -> StoreConfig {
    let config = StoreConfig::new(path);
    StoreConfig {
        embedded: EmbeddedConfig {
            log_memory_bytes: 8 << 10,
            frames_memory_bytes: 8 << 10,
            ..config.embedded
        },
        ..config
    }
}

/// Fills a store so that it has tables, a journal and pending measures.
async fn populate(path: &Path) {
    let store = Store::open(config(path)).await.expect("a new store opens");
    let minutes = Timespan::from_second(60).expect("a minute is a span");
    let definition = Definition::new(Some(minutes), Some(1000), None).expect("it is possible");
    let methods = vec!["mean".parse().expect("mean is a method")];
    let policy = ArchivePolicy::new("p", 1, vec![definition], methods).expect("it is possible");
    store
        .create_archive_policy(&policy)
        .await
        .expect("there is room");
    let metrics = (0..METRICS).map(|number| NewMetric {
        id: MetricId::from_u128(number << 100),
        ..NewMetric::new(None, "p", None, None, None).expect("it is possible")
    });
    store
        .create_metrics(metrics.collect())
        .await
        .expect("there is room");
    for round in 0..12 {
        append(&store, round).await;
        store.process().await.expect("measures can be folded");
    }
    store.close().await;
    // The second opening takes the space back that was set aside for the journal.
    let store = Store::open(config(path)).await.expect("it opens again");
    append(&store, 12).await;
    store.process().await.expect("measures can be folded");
    append(&store, 13).await;
    store.close().await;
}

async fn append(store: &Gnocchi, round: i64) {
    let measures = (0..METRICS).map(|number| {
        let stamps = (0..60).map(|index| (1_700_000_000 + round * 600 + index * 7) * 1_000_000_000);
        Measures {
            metric: MetricId::from_u128(number << 100),
            series: Series::from_points(stamps.collect(), vec![1.5; 60]).expect("it is sorted"),
        }
    });
    store
        .append(measures.collect())
        .await
        .expect("there is room");
}

/// Takes numbers off an input.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<usize> {
        Some(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }
}

/// Does one thing to the files of a store.
fn harm(store: &Path, files: &[PathBuf], input: &mut Input<'_>) -> Option<()> {
    let kind = input.byte()?;
    let file = store.join(&files[input.number()? % files.len()]);
    let mut bytes = fs::read(&file).unwrap_or_default();
    // Of the beginning and the end, where most of what says what the rest is stands, as often as of all.
    let length = bytes.len().max(1);
    let place = input.number()?;
    let place = match kind % 3 {
        0 => place % length,
        1 => length - 1 - place % length.min(256),
        _ => place * length / (1 << 16),
    };
    match (kind / 3) % 6 {
        0 | 1 => *bytes.get_mut(place)? ^= input.byte()?,
        2 => bytes.truncate(place),
        3 => {
            let end = bytes.len().min(place + 512);
            bytes.get_mut(place..end)?.fill(0);
        }
        4 => return fs::remove_file(file).ok(),
        _ => {
            let journal = store.join("measures/0.jnl");
            let mut bytes = fs::read(&journal).ok()?;
            let batch = batch(&bytes, input)?;
            bytes.extend(batch);
            return fs::write(journal, bytes).ok();
        }
    }
    fs::write(file, bytes).ok()
}

/// Makes a batch that is intact as far as the engine can tell, with a record that no program wrote.
fn batch(journal: &[u8], input: &mut Input<'_>) -> Option<Vec<u8>> {
    let keyspace = u64::from(input.byte()? % 6);
    let kind = input.byte()? % 2;
    let key_length = usize::from(input.byte()? % 48);
    let key = match keyspace {
        // The names of the facts that are looked up.
        4 => [
            "format",
            "sacks",
            "identity",
            "generation",
            "pairing",
            "sequence_limit",
        ][key_length % 6]
            .as_bytes()
            .to_vec(),
        _ => input.bytes(key_length),
    };
    let value_length = usize::from(input.byte()?);
    let value = input.bytes(value_length);
    let sequence = u64::try_from(journal.len()).ok()? + (1 << 20);
    let mut entries = vec![2, kind, 0];
    entries.extend(keyspace.to_le_bytes());
    entries.extend(u16::try_from(key.len()).ok()?.to_le_bytes());
    entries.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
    entries.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
    entries.extend(key);
    entries.extend(value);
    let mut batch = vec![1];
    batch.extend(1_u32.to_le_bytes());
    batch.extend(sequence.to_le_bytes());
    let checksum = xxh3_64(&entries);
    batch.extend(entries);
    batch.push(3);
    batch.extend(checksum.to_le_bytes());
    batch.extend(b"FJL\x03");
    Some(batch)
}

/// Returns what is in a tree. The index of the log of `SQLite` is shared memory, not data.
fn content(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files_below(path)
        .into_iter()
        .filter(|file| !file.to_string_lossy().ends_with("-shm"))
        .map(|file| {
            let bytes = fs::read(path.join(&file)).expect("a file can be read");
            (file, bytes)
        })
        .collect()
}

async fn verify(path: &Path) {
    let owned = path.to_owned();
    let files = tokio::task::spawn_blocking(move || {
        let files = StoreFiles::look(&owned)?;
        files.check_tables(|| ())?;
        files.records()?;
        files.frames(|found| drop(found.frame))?;
        Ok::<_, gnocchi_drivers::embedded::StoreError>(files)
    });
    let Ok(Ok(files)) = files.await else {
        return;
    };
    drop(files.check_identity().await);
    drop(files.check_indexer().await);
}

async fn open_and_read(path: &Path) {
    let Ok(store) = Store::open(config(path)).await else {
        return;
    };
    for number in 0..METRICS {
        let query = MeasuresQuery {
            method: "mean".parse().expect("mean is a method"),
            granularity: None,
            start: None,
            stop: None,
            resample: None,
        };
        if let Ok(metric) = store.metric(MetricId::from_u128(number << 100)).await {
            drop(store.measures(&metric, &query).await);
        }
    }
    drop(store.process().await);
    store.close().await;
}

/// A store whose files hold anything is refused, or read as far as it is intact; nothing panics, and looking changes no byte.
pub fn damaged_store(input: &[u8]) {
    let sample = sample();
    let scratch = scratch();
    let store = scratch.path().join("store");
    for file in &sample.files {
        let target = store.join(file);
        fs::create_dir_all(target.parent().expect("it has a parent")).expect("there is room");
        fs::copy(sample.folder.path().join("store").join(file), target).expect("there is room");
    }
    let mut input = Input(input);
    for _ in 0..HARMS_MAX {
        if harm(&store, &sample.files, &mut input).is_none() && input.0.is_empty() {
            break;
        }
    }
    let before = content(&store);
    sample.runtime.block_on(verify(&store));
    assert!(content(&store) == before, "looking changed something");
    sample.runtime.block_on(open_and_read(&store));
    assert!(!PANICKED.load(Ordering::Relaxed), "a thread panicked");
}
