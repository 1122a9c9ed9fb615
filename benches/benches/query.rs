//! Queries end to end: the embedded store with its SQLite indexer, from the facade down, each beside reading metric by metric.
//!
//! The directory is made below `GNOCCHI_BENCH_DIRECTORY`, or else where temporary files go.

#![expect(
    clippy::print_stdout,
    reason = "the memory that a query takes is a result"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use carbonara::align::Fill;
use carbonara::{Series, Timespan};
use criterion::{Criterion, Throughput};
use gnocchi_core::Gnocchi;
use gnocchi_core::driver::ResourceQuery;
use gnocchi_core::model::{
    ArchivePolicy, Definition, GENERIC, Measures, Metric, MetricId, NewMetric, NewResource,
    Resource, ResourceId, ResourceMetric,
};
use gnocchi_core::query::{
    AggregatesQuery, Evaluation, Gaps, GroupAggregates, KeepResources, MeasuresQuery,
    ResourceSelection, Source,
};
use gnocchi_drivers::embedded;
use jiff::tz::TimeZone;
use mimalloc::MiMalloc;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The one of the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Metrics across which is computed, and points of each: a day of minutes.
const METRICS: usize = 100;
const MINUTES: usize = 1440;

/// Resources that are grouped, and points of the metric of each: a day of five minutes.
const RESOURCES: usize = 10_000;
const FIVE_MINUTES: usize = 288;

/// Values of the two properties by which resources are grouped.
const PROJECTS: usize = 20;
const USERS: usize = 5;

/// When the points begin: the start of a day.
const START_SECOND: i64 = 1_425_600_000;

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
    let directory = directory();
    let store = runtime
        .block_on(embedded::open(directory.path()))
        .expect("opens");
    across(&mut criterion, &runtime, &store);
    grouped(&mut criterion, &runtime, &store);
    criterion.final_summary();
}

fn directory() -> TempDir {
    let parent =
        std::env::var_os("GNOCCHI_BENCH_DIRECTORY").map_or_else(std::env::temp_dir, Into::into);
    TempDir::new_in(parent).expect("a directory")
}

fn across(criterion: &mut Criterion, runtime: &Runtime, store: &Gnocchi) {
    let metrics = runtime.block_on(async {
        create_policy(store, "minutes", 60).await;
        let new = (0..METRICS).map(|_| NewMetric::new(None, "minutes", None, None, None));
        let new: Vec<NewMetric> = new.collect::<Result<_, _>>().expect("valid metrics");
        let metrics = store.create_metrics(new).await.expect("creates");
        let ids: Vec<MetricId> = metrics.iter().map(|metric| metric.id).collect();
        fill(store, &ids, 60, MINUTES).await;
        metrics
    });
    let references: Vec<String> = metrics
        .iter()
        .map(|metric| format!("({} mean)", metric.id))
        .collect();
    let all = references.join(" ");
    let evaluation = evaluation(&metrics);
    let mut group = criterion.benchmark_group("aggregates, 100 metrics x 1440 points");
    group.throughput(Throughput::Elements((METRICS * MINUTES) as u64));
    group.bench_function("reading metric by metric, computing nothing", |bencher| {
        bencher.iter(|| runtime.block_on(one_by_one(store, &metrics)));
    });
    for (name, expression) in [
        ("mean across", format!("(aggregate mean (metric {all}))")),
        (
            "mean across, then rolling mean 60",
            format!("(rolling mean 60 (aggregate mean (metric {all})))"),
        ),
        (
            "rolling mean 60 of each",
            format!("(rolling mean 60 (metric {all}))"),
        ),
    ] {
        let query = query(&expression);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let computed =
                    runtime.block_on(store.aggregates(&query, std::slice::from_ref(&evaluation)));
                black_box(computed.expect("computes"))
            });
        });
    }
    group.finish();
}

fn grouped(criterion: &mut Criterion, runtime: &Runtime, store: &Gnocchi) {
    runtime.block_on(async {
        create_policy(store, "five minutes", 300).await;
        let mut ids = Vec::with_capacity(RESOURCES);
        for number in 0..RESOURCES {
            let created = create_resource(store, number).await;
            ids.extend(created.metrics.values().copied());
        }
        fill(store, &ids, 300, FIVE_MINUTES).await;
    });
    let query = query("(aggregate mean (metric cpu mean))");
    // Before anything is read, so that what the first query takes is seen.
    forget_peak();
    let before = resident_kilobytes("VmRSS:");
    let groups = runtime.block_on(by_project_and_user(store, &query));
    assert_eq!(groups.len(), PROJECTS * USERS);
    drop(groups);
    println!(
        "grouping {RESOURCES} resources x {FIVE_MINUTES} points for the first time: {} MB more memory at its peak (target below 100)",
        resident_kilobytes("VmHWM:").saturating_sub(before) / 1024,
    );
    let mut group =
        criterion.benchmark_group("aggregates, 10,000 resources x 288 points by two properties");
    group.throughput(Throughput::Elements((RESOURCES * FIVE_MINUTES) as u64));
    group.bench_function("reading metric by metric, computing nothing", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let resources = list(store).await;
                let ids: Vec<MetricId> = resources
                    .iter()
                    .flat_map(|one| one.metrics.values().copied())
                    .collect();
                let metrics = store.metrics(&ids).await.expect("finds");
                let metrics: Vec<Arc<Metric>> = metrics.into_iter().flatten().collect();
                one_by_one(store, &metrics).await
            })
        });
    });
    group.bench_function("listing, reading nothing", |bencher| {
        bencher.iter(|| runtime.block_on(list(store)));
    });
    group.bench_function("mean of each group", |bencher| {
        bencher.iter(|| runtime.block_on(by_project_and_user(store, &query)));
    });
    group.finish();
}

async fn by_project_and_user(store: &Gnocchi, query: &AggregatesQuery) -> Vec<GroupAggregates> {
    let selection = ResourceSelection {
        resource_type: GENERIC.to_owned(),
        group_by: vec!["project_id".to_owned(), "user_id".to_owned()],
        ..ResourceSelection::default()
    };
    store
        .aggregates_of_resources(query, selection, None, None, KeepResources::Drop)
        .await
        .expect("computes")
}

async fn list(store: &Gnocchi) -> Vec<Resource> {
    store
        .list_resources(&ResourceQuery::of_type(GENERIC))
        .await
        .expect("lists")
}

async fn one_by_one(store: &Gnocchi, metrics: &[Arc<Metric>]) -> usize {
    let query = MeasuresQuery {
        method: "mean".parse().expect("a method"),
        granularity: None,
        start: None,
        stop: None,
        resample: None,
    };
    let mut points = 0;
    for metric in metrics {
        let levels = store.measures(metric, &query).await.expect("reads");
        points += levels.iter().map(|level| level.series.len()).sum::<usize>();
    }
    points
}

async fn create_policy(store: &Gnocchi, name: &str, granularity_s: i64) {
    let span = Timespan::from_second(granularity_s).expect("positive");
    let level = Definition::new(Some(span), Some(5000), None).expect("a definition");
    let methods = ["mean", "min", "max", "sum", "std", "count"];
    let methods = methods.map(|name| name.parse().expect("a method"));
    let policy = ArchivePolicy::new(name, 0, vec![level], methods.to_vec()).expect("a policy");
    store.create_archive_policy(&policy).await.expect("creates");
}

async fn create_resource(store: &Gnocchi, number: usize) -> Resource {
    let id = ResourceId::random();
    let metric = NewMetric::new(None, "five minutes", Some("cpu".to_owned()), None, Some(id));
    let metric = ResourceMetric::New(metric.expect("a metric"));
    let now = store.clock().now();
    let resource = NewResource {
        id,
        resource_type: GENERIC.to_owned(),
        creator: None,
        original_resource_id: id.to_string(),
        started_at: now,
        ended_at: None,
        user_id: Some(format!("user {}", number / PROJECTS % USERS)),
        project_id: Some(format!("project {}", number % PROJECTS)),
        attributes: BTreeMap::new(),
        metrics: BTreeMap::from([("cpu".to_owned(), metric)]),
    };
    store.create_resource(&resource).await.expect("creates")
}

/// Sends points to metrics and folds them.
async fn fill(store: &Gnocchi, metrics: &[MetricId], step_s: i64, points: usize) {
    for some in metrics.chunks(1000) {
        let measures = some.iter().zip(0_u32..).map(|(metric, number)| {
            let stamps = (0..)
                .take(points)
                .map(|index: i64| (START_SECOND + index * step_s) * 1_000_000_000);
            let values = (0..)
                .take(points)
                .map(|index: u32| f64::from(index * 7 + number).sin() * 50.0 + 50.0);
            Measures {
                metric: *metric,
                series: Series::from_points(stamps.collect(), values.collect())
                    .expect("after the epoch"),
            }
        });
        store.append(measures.collect()).await.expect("appends");
        store.process().await.expect("folds");
    }
}

fn query(expression: &str) -> AggregatesQuery {
    AggregatesQuery {
        expression: Arc::new(expression.parse().expect("an expression")),
        granularity: None,
        gaps: Gaps::Fill(Fill::DropMissing),
        time_zone: TimeZone::UTC,
    }
}

fn evaluation(metrics: &[Arc<Metric>]) -> Evaluation {
    let sources = metrics
        .iter()
        .enumerate()
        .map(|(reference, metric)| Source {
            reference,
            metric: Arc::clone(metric),
            found: None,
        });
    Evaluation {
        sources: sources.collect(),
        start: None,
        stop: None,
    }
}

/// Lets the peak of memory begin anew.
fn forget_peak() {
    if let Err(error) = std::fs::write("/proc/self/clear_refs", "5") {
        eprintln!("the peak includes the preparation: {error}");
    }
}

/// Returns how much memory the process takes, or took at most.
fn resident_kilobytes(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|own| own.strip_prefix(line));
    value
        .and_then(|value| value.trim().split(' ').next()?.parse().ok())
        .unwrap_or_default()
}
