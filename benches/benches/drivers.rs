//! Throughput of the drivers: durable appends, commits and reads of the embedded one, each beside a plain file.
//!
//! Directories are made below `GNOCCHI_BENCH_DIRECTORY`, or else where temporary files go: that should be the disk of
//! interest, not a file system in memory.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carbonara::codec::measures as codec;
use carbonara::{Series, Timespan};
use criterion::{Criterion, Throughput};
use gnocchi_core::clock::SystemClock;
use gnocchi_core::driver::{
    BlockRange, Commit, FrameKey, FrameRange, IncomingDriver, MetricChanges, Sack, StorageDriver,
    StoredFrame, Stream,
};
use gnocchi_core::model::{Measures, MetricId};
use gnocchi_drivers::embedded::{Embedded, EmbeddedConfig};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Clients that append at the same time, each waiting for one append before the next.
const CALLERS: u64 = 4;

/// Points of one append.
const POINTS: usize = 3_000;

/// Metrics of one commit, of which there are so many in all.
const COMMIT_METRICS: u64 = 1_000;
const METRICS: u64 = 100_000;

/// The granularities of a metric, and the bytes of one fresh frame.
const GRANULARITIES_S: [i64; 3] = [60, 300, 3_600];
const FRAME_BYTES: usize = 150;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    append(&mut criterion, &runtime);
    commit(&mut criterion, &runtime);
    read(&mut criterion, &runtime);
    criterion.final_summary();
}

fn directory() -> TempDir {
    let parent =
        std::env::var_os("GNOCCHI_BENCH_DIRECTORY").map_or_else(std::env::temp_dir, Into::into);
    TempDir::new_in(parent).expect("a directory")
}

fn open(runtime: &Runtime, path: &Path) -> Embedded {
    runtime
        .block_on(Embedded::open(
            EmbeddedConfig::new(path),
            Arc::new(SystemClock),
        ))
        .expect("opens")
}

/// Spreads small numbers over all identifiers, as random ones are.
fn metric(number: u64) -> MetricId {
    MetricId::from_u128(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// Makes one append: so many metrics share the points.
fn measures(metrics: usize) -> Vec<Measures> {
    let points = POINTS / metrics;
    let series = |number: u64| {
        let timestamps_ns = (1_700_000_000..)
            .take(points)
            .map(|second| second * 1_000_000_000)
            .collect();
        let values = (0..)
            .take(points)
            .map(|index| f64::from(index).sin())
            .collect();
        let series = Series::from_points(timestamps_ns, values).expect("after the epoch");
        Measures {
            metric: metric(number),
            series,
        }
    };
    (0..).take(metrics).map(series).collect()
}

fn append(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("append, durable, 4 callers x 3000 points");
    group.throughput(Throughput::Elements(CALLERS * POINTS as u64));
    for metrics in [1, 100, 3_000] {
        let batch = measures(metrics);
        let pairs: Vec<(u128, &Series)> = batch
            .iter()
            .map(|measures| (measures.metric.as_u128(), &measures.series))
            .collect();
        let bytes = codec::encode(&pairs);

        let directory = directory();
        let mut file = File::create(directory.path().join("log")).expect("a file");
        group.bench_function(
            format!("file and fdatasync, {metrics} metrics"),
            |bencher| {
                bencher.iter(|| {
                    // What four callers write who are synchronized together.
                    for _ in 0..CALLERS {
                        file.write_all(&bytes).expect("writes");
                    }
                    file.sync_data().expect("synchronizes");
                });
            },
        );

        let incoming = open(runtime, &directory.path().join("embedded")).incoming;
        group.bench_function(format!("embedded, {metrics} metrics"), |bencher| {
            bencher.iter_custom(|rounds| runtime.block_on(appends(&incoming, &batch, rounds)));
        });
    }
    group.finish();
}

/// Lets every caller append the batch so many times; what was appended is taken away in between, outside the time.
async fn appends(incoming: &Arc<impl IncomingDriver>, batch: &[Measures], rounds: u64) -> Duration {
    let mut elapsed = Duration::ZERO;
    let mut left = rounds;
    while left > 0 {
        let now = left.min(200);
        left -= now;
        let mut callers = JoinSet::new();
        let batches: Vec<Vec<Vec<Measures>>> = (0..CALLERS)
            .map(|_| (0..now).map(|_| batch.to_vec()).collect())
            .collect();
        let begin = Instant::now();
        for batches in batches {
            let incoming = Arc::clone(incoming);
            callers.spawn(async move {
                for batch in batches {
                    incoming.append(batch).await.expect("appends");
                }
            });
        }
        callers.join_all().await;
        elapsed += begin.elapsed();
        for sack in incoming.sacks().sacks() {
            let claim = incoming.claim(sack, usize::MAX).await.expect("claims");
            incoming
                .acknowledge(sack, &claim.receipt)
                .await
                .expect("acknowledges");
        }
    }
    elapsed
}

/// Makes the commit of this number: the metrics take turns, and each adds one frame per granularity.
fn changes(number: u64) -> Commit {
    let first = number * COMMIT_METRICS % METRICS;
    let metrics = (first..first + COMMIT_METRICS).map(|metric_number| {
        let put = GRANULARITIES_S.map(|granularity_s| StoredFrame {
            key: key(granularity_s, number),
            bytes: vec![7; FRAME_BYTES].into(),
        });
        MetricChanges {
            metric: metric(metric_number),
            removed: Vec::new(),
            put: put.to_vec(),
        }
    });
    Commit {
        receipt: None,
        sequence: number,
        metrics: metrics.collect(),
    }
}

fn key(granularity_s: i64, number: u64) -> FrameKey {
    FrameKey {
        stream: stream(granularity_s),
        block: number / (100 * METRICS / COMMIT_METRICS),
        sequence: number,
    }
}

fn stream(granularity_s: i64) -> Stream {
    Stream::Level(Timespan::from_second(granularity_s).expect("positive"))
}

fn commit(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("commit, 1000 metrics x 3 frames of 150 bytes");
    group.throughput(Throughput::Elements(COMMIT_METRICS));
    let directory = directory();
    let mut file = File::create(directory.path().join("frames")).expect("a file");
    let bytes = vec![7; (FRAME_BYTES + 40) * GRANULARITIES_S.len() * 1_000];
    group.bench_function("file", |bencher| {
        bencher.iter(|| file.write_all(black_box(&bytes)).expect("writes"));
    });
    let storage = open(runtime, &directory.path().join("embedded")).storage;
    runtime
        .block_on(storage.acquire(Sack::new(0), 1))
        .expect("acquires");
    let mut number = 0;
    let (mut metrics, mut cpu) = (0, Duration::ZERO);
    group.bench_function("embedded", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..rounds {
                number += 1;
                let commit = changes(number);
                let (begin, cpu_before) = (Instant::now(), cpu_time());
                runtime
                    .block_on(storage.commit(Sack::new(0), 1, commit))
                    .expect("commits");
                elapsed += begin.elapsed();
                cpu += cpu_time().saturating_sub(cpu_before);
                metrics += COMMIT_METRICS;
            }
            elapsed
        });
    });
    group.finish();
    if !cpu.is_zero() {
        report(
            "commit",
            "metrics per second of one core, files written and merged included",
            metrics,
            cpu,
        );
    }
}

fn read(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("read, one block of 100 metrics with 10 frames each");
    group.throughput(Throughput::Elements(100));
    let directory = directory();
    let storage = open(runtime, directory.path()).storage;
    runtime
        .block_on(storage.acquire(Sack::new(0), 1))
        .expect("acquires");
    let commits = 10 * METRICS / COMMIT_METRICS;
    for number in 1..=commits {
        runtime
            .block_on(storage.commit(Sack::new(0), 1, changes(number)))
            .expect("commits");
    }
    let mut first = 0;
    group.bench_function("embedded", |bencher| {
        bencher.iter(|| {
            first = (first + 977) % (METRICS - 100);
            let range = BlockRange {
                stream: stream(60),
                blocks: 0..2,
            };
            let requests: Vec<FrameRange> = (first..first + 100)
                .map(|number| FrameRange {
                    metric: metric(number),
                    range: range.clone(),
                })
                .collect();
            let answers = runtime.block_on(storage.read(&requests)).expect("reads");
            assert!(
                answers.iter().all(|frames| frames.len() == 10),
                "all frames are found"
            );
        });
    });
    group.finish();
}

/// Returns the time that all threads of this process have spent on a processor; zero where that cannot be known.
fn cpu_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

#[expect(
    clippy::print_stdout,
    reason = "the report is the purpose of this program"
)]
fn report(what: &str, unit: &str, count: u64, time: Duration) {
    let per_second = u128::from(count) * 1_000_000_000 / time.as_nanos().max(1);
    println!("{what}: {per_second} {unit}");
}
