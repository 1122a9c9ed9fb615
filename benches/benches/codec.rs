//! Bytes and time of the payload codecs: bytes a value and share of LZ4, decoding speed, the write-ahead form.
//!
//! Generated series resemble monitoring data. With `NAB_DIR` set to a folder of the Numenta Anomaly
//! Benchmark (CSV files of `timestamp,value`, in any depth) the recorded series are measured too.
//! Every printed line has its target beside what was measured.

#![expect(
    clippy::print_stdout,
    reason = "the report is the purpose of this program"
)]

use std::ffi::OsStr;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use carbonara::codec::{Encoding, frame, measures, points};
use carbonara::{ComponentSet, Frame, Series, Timespan, aggregate};
use criterion::{Criterion, Throughput};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Points of a sealed payload of raw points, as in a block.
const POINTS_PER_PAYLOAD: usize = 3_600;

/// Points behind one aggregated row.
const POINTS_PER_ROW: i64 = 12;

const DEFAULT_METHODS: [&str; 6] = ["mean", "min", "max", "sum", "std", "count"];

/// A named group of series.
struct DataSet {
    name: &'static str,
    series: Vec<Series>,
}

fn main() {
    let mut sets = vec![DataSet {
        name: "generated",
        series: generated(),
    }];
    match env::var_os("NAB_DIR") {
        Some(folder) => sets.push(DataSet {
            name: "NAB",
            series: recorded(Path::new(&folder)),
        }),
        None => println!("NAB: skipped, NAB_DIR is not set"),
    }
    for set in &sets {
        report_raw(set);
        report_aggregates(set);
    }
    report_hot_path();

    let mut criterion = Criterion::default().configure_from_args();
    bench_frames(&mut criterion);
    bench_measures(&mut criterion);
    criterion.final_summary();
}

/// Prints one line: what was measured, beside its target.
fn line(name: &str, measured: &str, target: &str) {
    println!("{name:<44} {measured:<44} target {target}");
}

fn report_raw(set: &DataSet) {
    let mut payloads = Vec::new();
    let (mut values, mut lz4) = (0, 0);
    for series in &set.series {
        values += series.len();
        lz4 += lz4_i64(series.timestamps_ns()) + lz4_f64(series.values());
        let chunks = series.timestamps_ns().chunks(POINTS_PER_PAYLOAD);
        for (timestamps_ns, values) in chunks.zip(series.values().chunks(POINTS_PER_PAYLOAD)) {
            let part = Series::from_points(timestamps_ns.to_vec(), values.to_vec())
                .expect("a part of a series is a series");
            payloads.push(points::encode(&part, Encoding::Sealed));
        }
    }
    let sealed = payloads.iter().map(Vec::len).sum();
    report_size(set.name, "raw points", sealed, lz4, values);
    let elapsed = fastest(|| {
        for payload in &payloads {
            black_box(points::decode(payload).expect("a payload of ours"));
        }
    });
    report_decoding(set.name, "raw points", values, elapsed);
}

fn report_aggregates(set: &DataSet) {
    let components = default_components();
    let frames: Vec<Frame> = set
        .series
        .iter()
        .map(|series| rows_of(series, &components))
        .collect();
    let values = frames
        .iter()
        .map(|frame| frame.len() * components.len())
        .sum();
    let lz4 = frames
        .iter()
        .map(|frame| {
            let step = frame.granularity().as_nanosecond();
            let starts: Vec<i64> = frame.buckets().iter().map(|bucket| bucket * step).collect();
            lz4_i64(&starts)
                + frame
                    .columns()
                    .iter()
                    .map(|column| lz4_f64(column))
                    .sum::<usize>()
        })
        .sum();
    let payloads: Vec<Vec<u8>> = frames
        .iter()
        .map(|frame| frame::encode(frame, Encoding::Sealed))
        .collect();
    let sealed = payloads.iter().map(Vec::len).sum();
    report_size(set.name, "12-point aggregates", sealed, lz4, values);
    let elapsed = fastest(|| {
        for payload in &payloads {
            black_box(frame::decode_all(payload).expect("a payload of ours"));
        }
    });
    report_decoding(set.name, "12-point aggregates", values, elapsed);
}

#[expect(clippy::cast_precision_loss, reason = "sizes of a report")]
fn report_size(set: &str, what: &str, sealed: usize, lz4: usize, values: usize) {
    let measured = format!(
        "{:.2} B/value, LZ4 {:.2}, ratio {:.2}",
        sealed as f64 / values as f64,
        lz4 as f64 / values as f64,
        sealed as f64 / lz4 as f64,
    );
    line(
        &format!("{set}: {what}, sealed"),
        &measured,
        "ratio <= 0.55",
    );
}

#[expect(clippy::cast_precision_loss, reason = "counts of a report")]
fn report_decoding(set: &str, what: &str, values: usize, elapsed: Duration) {
    let millions = values as f64 / elapsed.as_secs_f64() / 1e6;
    let measured = format!("{millions:.0} million values/s");
    line(
        &format!("{set}: {what}, decode"),
        &measured,
        ">= 60 million values/s",
    );
}

/// Reports what happens to every measure: one-row frames, and the write-ahead form beside a copy of memory.
#[expect(clippy::cast_precision_loss, reason = "counts of a report")]
fn report_hot_path() {
    const ROUNDS: u32 = 10_000;
    let row = one_row();
    let elapsed = fastest(|| {
        for _ in 0..ROUNDS {
            black_box(frame::encode(black_box(&row), Encoding::Fresh));
        }
    });
    let bytes = frame::encode(&row, Encoding::Fresh).len();
    let measured = format!("{} ns, {bytes} B", elapsed.as_nanos() / u128::from(ROUNDS));
    line(
        "frame of one row, encode",
        &measured,
        "< 1000 ns, about 70 B",
    );

    let (metrics, points) = (10, 10_000);
    let batch = regular_batch(metrics, points);
    let borrowed: Vec<_> = batch
        .iter()
        .map(|(metric, series)| (*metric, series))
        .collect();
    let encoded = measures::encode(&borrowed);
    let copy = fastest(|| {
        black_box(black_box(&encoded).clone());
    });
    let encode = fastest(|| {
        black_box(measures::encode(black_box(&borrowed)));
    });
    let decode = fastest(|| {
        black_box(measures::decode(black_box(&encoded)).expect("a payload of ours"));
    });
    let share = |elapsed: Duration| copy.as_secs_f64() / elapsed.as_secs_f64();
    for (name, elapsed) in [("encode", encode), ("decode", decode)] {
        let million = (metrics * points) as f64 / elapsed.as_secs_f64() / 1e6;
        let measured = format!(
            "{million:.0} million points/s, {:.2} of a copy",
            share(elapsed)
        );
        line(
            &format!("measures, 10 x 10000 regular, {name}"),
            &measured,
            ">= 200 million points/s",
        );
    }
}

fn bench_frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec/frame");
    let row = one_row();
    let bytes = frame::encode(&row, Encoding::Fresh);
    group.bench_function("encode one row", |bencher| {
        bencher.iter(|| frame::encode(black_box(&row), Encoding::Fresh));
    });
    group.bench_function("decode one row", |bencher| {
        bencher.iter(|| frame::decode(black_box(&bytes)));
    });
    let components = default_components();
    let block = generated()
        .iter()
        .map(|series| rows_of(series, &components))
        .max_by_key(Frame::len)
        .expect("generated data is not empty")
        .split_blocks()
        .swap_remove(0)
        .1;
    group.throughput(Throughput::Elements(
        (block.len() * components.len()) as u64,
    ));
    for encoding in [Encoding::Fresh, Encoding::Sealed] {
        let bytes = frame::encode(&block, encoding);
        group.bench_function(format!("encode block {encoding:?}"), |bencher| {
            bencher.iter(|| frame::encode(black_box(&block), encoding));
        });
        group.bench_function(format!("decode block {encoding:?}"), |bencher| {
            bencher.iter(|| frame::decode(black_box(&bytes)));
        });
    }
    group.finish();
}

fn bench_measures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec/measures");
    for (metrics, points) in [(1_000, 1), (1_000, 10), (10, 10_000)] {
        let batch = regular_batch(metrics, points);
        let borrowed: Vec<_> = batch
            .iter()
            .map(|(metric, series)| (*metric, series))
            .collect();
        let bytes = measures::encode(&borrowed);
        group.throughput(Throughput::Elements((metrics * points) as u64));
        group.bench_function(format!("encode {metrics} x {points}"), |bencher| {
            bencher.iter(|| measures::encode(black_box(&borrowed)));
        });
        group.bench_function(format!("decode {metrics} x {points}"), |bencher| {
            bencher.iter(|| measures::decode(black_box(&bytes)));
        });
        group.bench_function(format!("copy {metrics} x {points}"), |bencher| {
            bencher.iter(|| black_box(&bytes).clone());
        });
    }
    group.finish();
}

/// Returns the shortest of several runs: noise only ever adds.
fn fastest(mut run: impl FnMut()) -> Duration {
    const RUNS: usize = 20;
    (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn lz4_i64(column: &[i64]) -> usize {
    lz4_flex::block::compress(
        column
            .iter()
            .map(|n| n.to_le_bytes())
            .collect::<Vec<_>>()
            .as_flattened(),
    )
    .len()
}

fn lz4_f64(column: &[f64]) -> usize {
    lz4_flex::block::compress(
        column
            .iter()
            .map(|n| n.to_le_bytes())
            .collect::<Vec<_>>()
            .as_flattened(),
    )
    .len()
}

fn default_components() -> ComponentSet {
    let methods: Vec<_> = DEFAULT_METHODS
        .iter()
        .map(|name| name.parse().expect("a method's name"))
        .collect();
    ComponentSet::for_methods(&methods)
}

/// Aggregates a series to about one row for every twelve points.
fn rows_of(series: &Series, components: &ComponentSet) -> Frame {
    let mut gaps: Vec<i64> = series
        .timestamps_ns()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(1);
    let granularity = Timespan::from_nanosecond(usual * POINTS_PER_ROW).expect("timestamps ascend");
    aggregate(
        series.timestamps_ns(),
        series.values(),
        None,
        &[granularity],
        components,
    )
    .swap_remove(0)
}

fn one_row() -> Frame {
    let components = default_components();
    let columns = components.iter().map(|_| vec![60.0]).collect();
    let minute = Timespan::from_second(60).expect("a minute is a span");
    Frame::new(minute, components, vec![28_333_333], columns).expect("one row is a frame")
}

fn regular_batch(metrics: usize, points: usize) -> Vec<(u128, Series)> {
    let mut generator = StdRng::seed_from_u64(1);
    (0_u128..)
        .take(metrics)
        .map(|metric| {
            let start = 1_700_000_000_000_000_000;
            let timestamps_ns = (0..)
                .map(|n| start + n * 1_000_000_000)
                .take(points)
                .collect();
            let values = (0..points).map(|_| generator.random()).collect();
            (
                metric,
                Series::from_points(timestamps_ns, values).expect("regular points"),
            )
        })
        .collect()
}

/// Series like those of a monitored machine: percentages, counters, sizes, states, request times.
fn generated() -> Vec<Series> {
    const POINTS: usize = 50_000;
    let mut generator = StdRng::seed_from_u64(42);
    let mut walk = |low: f64, high: f64, step: f64, digits: f64| -> Vec<f64> {
        let mut level = f64::midpoint(low, high);
        (0..POINTS)
            .map(|_| {
                level = (level + generator.random_range(-step..=step)).clamp(low, high);
                (level * digits).round() / digits
            })
            .collect()
    };
    let processor = walk(0.0, 100.0, 3.0, 100.0);
    let temperature = walk(20.0, 90.0, 0.3, 1e9);
    let memory = walk(1e9, 16e9, 5e6, 1.0 / 4_096.0);
    let traffic = walk(0.0, 1e6, 1e5, 1.0);
    let counter = traffic.iter().scan(0.0, |total, more| {
        *total += more;
        Some(*total)
    });
    let counter: Vec<f64> = counter.collect();
    let mut latency: Vec<f64> = walk(0.001, 0.3, 0.01, 1e6);
    for value in &mut latency {
        *value *= if generator.random_bool(0.01) {
            10.0
        } else {
            1.0
        };
    }
    let state: Vec<f64> = (0..POINTS)
        .map(|_| {
            if generator.random_bool(0.001) {
                0.0
            } else {
                1.0
            }
        })
        .collect();

    let start = 1_700_000_000_000_000_000;
    [
        processor,
        temperature,
        memory,
        traffic,
        counter,
        latency,
        state,
    ]
    .into_iter()
    .enumerate()
    .map(|(index, values)| {
        // Every second series has the jitter of a collector that reads its own clock.
        let jitter = if index % 2 == 0 { 1 } else { 40 };
        let timestamps_ns = (0_i64..)
            .map(|n| start + n * 10_000_000_000 + generator.random_range(0..jitter) * 1_000_000)
            .take(POINTS)
            .collect();
        Series::from_points(timestamps_ns, values).expect("generated points")
    })
    .collect()
}

/// Reads all CSV files below a folder, in the order of their paths.
fn recorded(folder: &Path) -> Vec<Series> {
    let mut files = Vec::new();
    collect_files(folder, &mut files);
    files.sort();
    let series: Vec<Series> = files.iter().map(|file| read_csv(file)).collect();
    assert!(!series.is_empty(), "no CSV file in {}", folder.display());
    series
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("NAB_DIR is a folder") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            collect_files(&path, files);
        } else if path.extension() == Some(OsStr::new("csv")) {
            files.push(path);
        }
    }
}

fn read_csv(file: &Path) -> Series {
    let text = fs::read_to_string(file).expect("the file is text");
    let points = text.lines().skip(1).map(|line| {
        let (moment, value) = line.split_once(',').expect("a line is `timestamp,value`");
        (
            nanosecond(moment),
            value.trim().parse::<f64>().expect("a value is a number"),
        )
    });
    let (timestamps_ns, values) = points.unzip();
    Series::from_points(timestamps_ns, values).expect("recorded points")
}

/// Reads `2014-02-14 14:30:00` as UTC.
fn nanosecond(text: &str) -> i64 {
    let numbers: Vec<i64> = text
        .split(['-', ' ', ':'])
        .map(|part| part.parse().expect("a part is a number"))
        .collect();
    let [year, month, day, hour, minute, second] = numbers[..] else {
        panic!("`{text}` is no timestamp");
    };
    // Years that start in March: the leap day is the last of a year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days_to_1970 = 719_468;
    (((days - days_to_1970) * 24 + hour) * 60 + minute) * 60_000_000_000 + second * 1_000_000_000
}
