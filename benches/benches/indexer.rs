//! Searches of the indexer on SQLite: pages of many resources by a filter on a typed attribute, beside the same pages without
//! filter and beside filtering in memory.
//!
//! Files are made below `GNOCCHI_BENCH_DIRECTORY`, or else where temporary files go.

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use carbonara::{Timespan, Timestamp};
use criterion::{Criterion, Throughput};
use gnocchi_core::driver::{
    ArchivePolicyIndexer, Indexer, ResourceIndexer, ResourceQuery, ResourceTypeIndexer,
};
use gnocchi_core::model::{
    ArchivePolicy, Attribute, AttributeKind, AttributeValue, Definition, Glob, NewMetric,
    NewResource, Page, Resource, ResourceId, ResourceMetric, ResourceType, SortKey,
    default_aggregation_methods,
};
use gnocchi_core::search::{Condition, Filter, SearchContext};
use gnocchi_drivers::sql::{SqlIndexer, SqliteConfig};
use support::shortest;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

const RESOURCES: u32 = 100_000;
const METRIC_NAMES: [&str; 3] = ["cpu", "disk", "network"];
const PAGE: usize = 1_000;

/// How many runs the shortest is taken of.
const RUNS: u32 = 50;

/// What is asked for, and what part of all resources matches.
const FILTERS: [(&str, &str); 5] = [
    ("1 % match: cpus = 5", "cpus = 5"),
    (
        "2 % match: a range and a text",
        "cpus >= 98 and image != none",
    ),
    ("10 % match: cpus >= 90", "cpus >= 90"),
    ("half match: active = true", "active = true"),
    ("0.1 % match: host = host-5", "host = \"host-5\""),
];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let parent =
        std::env::var_os("GNOCCHI_BENCH_DIRECTORY").map_or_else(std::env::temp_dir, Into::into);
    let directory = TempDir::new_in(parent).expect("a directory");
    let indexer = SqlIndexer::open(SqliteConfig::new(directory.path().join("indexer.db")));
    runtime.block_on(indexer.upgrade()).expect("upgrades");
    fill(&runtime, &indexer);
    search(&mut criterion, &runtime, &indexer);
    list_all(&mut criterion, &runtime, &indexer);
    criterion.final_summary();
}

/// Returns how long processors have worked for this process: other work on the machine doesn't add to that. Zero where the system
/// doesn't tell.
fn processor_ms() -> f64 {
    const MS_PER_TICK: f64 = 10.0;
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the name of the program, in parentheses; the 14th and 15th are ticks of user and system time.
    let fields = told.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks.filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() * MS_PER_TICK
}

fn server() -> ResourceType {
    let kinds = [
        ("active", AttributeKind::Bool),
        (
            "cpus",
            AttributeKind::Number {
                min: None,
                max: None,
            },
        ),
        (
            "host",
            AttributeKind::String {
                min_length: 0,
                max_length: 255,
            },
        ),
        ("image", AttributeKind::Uuid),
        ("launched", AttributeKind::Datetime),
    ];
    let required = true;
    let attributes = kinds.map(|(name, kind)| (name.to_owned(), Attribute { kind, required }));
    ResourceType::new("server", attributes.into()).expect("a type")
}

/// Spreads small numbers over all identifiers, as random ones are.
fn spread(number: u32) -> u128 {
    u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

fn resource(number: u32) -> NewResource {
    let second = i64::from(number / 10) + 1_700_000_000;
    let started_at = Timestamp::from_second(second).expect("after the epoch");
    let attributes = [
        ("active", AttributeValue::Bool(number.is_multiple_of(2))),
        ("cpus", AttributeValue::Number(f64::from(number % 100))),
        (
            "host",
            AttributeValue::String(format!("host-{}", number % 1_000)),
        ),
        (
            "image",
            AttributeValue::Uuid(Uuid::from_u128(spread(number))),
        ),
        ("launched", AttributeValue::Datetime(started_at)),
    ];
    let metric = |name: &str| {
        let name = Some(name.to_owned());
        ResourceMetric::New(
            NewMetric::new(Some("u:p".into()), "low", name, None, None).expect("fits"),
        )
    };
    NewResource {
        id: ResourceId::from_u128(spread(number)),
        resource_type: "server".into(),
        creator: Some("u:p".into()),
        original_resource_id: format!("server {number}"),
        started_at,
        ended_at: None,
        user_id: Some("user".into()),
        project_id: Some("project".into()),
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), Some(value)))
            .into(),
        metrics: METRIC_NAMES
            .map(|name| (name.to_owned(), metric(name)))
            .into(),
    }
}

fn fill(runtime: &Runtime, indexer: &SqlIndexer) {
    let start = Instant::now();
    runtime.block_on(async {
        let minute = Timespan::from_second(60).expect("positive");
        let definition = Definition::new(Some(minute), Some(60), None).expect("a definition");
        let policy = ArchivePolicy::new("low", 0, vec![definition], default_aggregation_methods());
        let policy = policy.expect("a policy");
        indexer
            .create_archive_policy(&policy)
            .await
            .expect("stored");
        indexer
            .create_resource_type(&server())
            .await
            .expect("stored");
        let numbers: Vec<u32> = (0..RESOURCES).collect();
        for part in numbers.chunks(500) {
            let created = part.iter().map(|number| async move {
                let new = resource(*number);
                let now = new.started_at;
                indexer.create_resource(&new, now).await.expect("stored");
            });
            futures::future::join_all(created).await;
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "creating {RESOURCES} resources with 5 attributes and 3 metrics each: {:.0} a second",
        f64::from(RESOURCES) / seconds
    );
}

fn bound(filter: &str) -> Condition {
    let filter: Filter = filter.parse().expect("a filter");
    let context = SearchContext {
        resource_type: &server(),
        history: false,
        creator: None,
        now: Timestamp::EPOCH,
    };
    filter.bind(&context).expect("fits the type")
}

fn query(condition: Option<Condition>, limit: usize) -> ResourceQuery {
    ResourceQuery {
        condition,
        page: Page::first(limit),
        ..ResourceQuery::of_type("server")
    }
}

fn search(criterion: &mut Criterion, runtime: &Runtime, indexer: &SqlIndexer) {
    let list = |query: &ResourceQuery| -> Vec<Resource> {
        runtime
            .block_on(indexer.list_resources(query))
            .expect("lists")
    };
    let mut group = criterion.benchmark_group("1000 of 100,000 resources with 3 metrics each");
    group.throughput(Throughput::Elements(PAGE as u64));
    let plain = query(None, PAGE);
    group.bench_function("baseline: no filter", |bench| {
        bench.iter(|| black_box(list(&plain)));
    });
    for (name, filter) in FILTERS {
        let filtered = query(Some(bound(filter)), PAGE);
        let found = list(&filtered).len();
        let before_ms = processor_ms();
        let own = shortest(RUNS as usize, || list(&filtered));
        let own_ms = (processor_ms() - before_ms) / f64::from(RUNS);
        let base = shortest(RUNS as usize, || list(&plain));
        println!(
            "{name}: {found} found in {:.1} ms at best (target 15 ms), {own_ms:.1} ms of processor time; without filter {:.1} ms",
            own.as_secs_f64() * 1e3,
            base.as_secs_f64() * 1e3,
        );
        group.bench_function(name, |bench| bench.iter(|| black_box(list(&filtered))));
    }
    let first = list(&query(Some(bound("cpus >= 90")), PAGE));
    let marked = ResourceQuery {
        page: Page {
            marker: first.last().map(|last| last.id.to_string()),
            ..Page::first(PAGE)
        },
        ..query(Some(bound("cpus >= 90")), PAGE)
    };
    group.bench_function("10 % match, the second page", |bench| {
        bench.iter(|| black_box(list(&marked)));
    });
    let condition = bound("cpus = 5");
    let everything = query(None, usize::MAX);
    group.sample_size(10);
    group.bench_function("baseline: 1 % match, filtered in memory", |bench| {
        bench.iter(|| {
            let mut all = list(&everything);
            all.retain(|resource| condition.matches(resource));
            black_box(all)
        });
    });
    group.finish();
}

/// All of what aggregates by resources need at once.
fn list_all(criterion: &mut Criterion, runtime: &Runtime, indexer: &SqlIndexer) {
    let mut group = criterion.benchmark_group("10,000 resources ordered by two attributes");
    group.sample_size(10);
    group.throughput(Throughput::Elements(10_000));
    let sorted = ResourceQuery {
        page: Page {
            sort: ["cpus", "active"].map(SortKey::ascending).into(),
            ..Page::first(usize::MAX)
        },
        metric_names: Some(vec![Glob::new("cpu")]),
        ..query(Some(bound("cpus >= 90")), usize::MAX)
    };
    let before_ms = processor_ms();
    let best = shortest(RUNS as usize, || {
        runtime.block_on(indexer.list_resources(&sorted))
    });
    let own_ms = (processor_ms() - before_ms) / f64::from(RUNS);
    println!(
        "10,000 resources in {:.0} ms at best, {own_ms:.0} ms of processor time",
        best.as_secs_f64() * 1e3
    );
    group.bench_function("with one metric each", |bench| {
        bench.iter(|| {
            let listed = runtime.block_on(indexer.list_resources(&sorted));
            assert_eq!(black_box(listed.expect("lists")).len(), 10_000);
        });
    });
    group.finish();
}
