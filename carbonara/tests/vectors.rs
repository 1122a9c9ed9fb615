//! Payloads of every version ever written, kept as files that must decode forever.
//!
//! Files are never regenerated. A new case, or a new version of a payload, is added here and written by
//! `GNOCCHI_WRITE_VECTORS=1 cargo test -p gnocchi-carbonara --test vectors`, which refuses to touch a file that exists.

#![expect(clippy::unwrap_used, reason = "what is made here is known to be right")]

mod support;

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use carbonara::codec::{Encoding, frame, measures, points};
use carbonara::{Component, ComponentSet, Frame, Series, Timespan};
use support::{assert_same_frame, assert_same_series};

/// What a file decodes to.
enum Meaning {
    Frame(Frame),
    Points(Series),
    Measures(Vec<(u128, Series)>),
}

struct Case {
    file: &'static str,
    meaning: Meaning,
    encoding: Encoding,
}

/// One line for each file. Names say kind and version; never change or remove a line.
fn cases() -> Vec<Case> {
    use Encoding::{Fresh, Sealed};
    let case = |file, meaning, encoding| Case {
        file,
        meaning,
        encoding,
    };
    vec![
        case("frame-v1-one-row.bin", Meaning::Frame(one_row()), Fresh),
        case(
            "frame-v1-fresh.bin",
            Meaning::Frame(irregular_frame(24)),
            Fresh,
        ),
        case(
            "frame-v1-sealed.bin",
            Meaning::Frame(irregular_frame(160)),
            Sealed,
        ),
        case(
            "frame-v1-sealed-regular.bin",
            Meaning::Frame(regular_frame()),
            Sealed,
        ),
        case(
            "frame-v2-same.bin",
            Meaning::Frame(one_point_each(24)),
            Fresh,
        ),
        case(
            "frame-v2-same-sealed.bin",
            Meaning::Frame(one_point_each(160)),
            Sealed,
        ),
        case(
            "frame-v2-fresh.bin",
            Meaning::Frame(irregular_frame(24)),
            Fresh,
        ),
        case(
            "frame-v2-sealed.bin",
            Meaning::Frame(irregular_frame(160)),
            Sealed,
        ),
        case(
            "points-v1-fresh.bin",
            Meaning::Points(jittery_series()),
            Fresh,
        ),
        case(
            "points-v1-fresh-regular.bin",
            Meaning::Points(regular_series()),
            Fresh,
        ),
        case(
            "points-v1-sealed.bin",
            Meaning::Points(jittery_series()),
            Sealed,
        ),
        case(
            "points-v1-sealed-regular.bin",
            Meaning::Points(regular_series()),
            Sealed,
        ),
        case("measures-v1.bin", Meaning::Measures(batch()), Fresh),
        case(
            "measures-v1-empty.bin",
            Meaning::Measures(Vec::new()),
            Fresh,
        ),
    ]
}

/// Numbers that look random, by exact integer arithmetic: the same on every machine, forever.
fn noise(count: usize) -> impl Iterator<Item = u32> {
    let mut state = 1_u64;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 33).unwrap()
    })
    .take(count)
}

fn values(count: usize, modulus: u32, scale: f64) -> Vec<f64> {
    noise(count)
        .map(|number| f64::from(number % modulus) * scale)
        .collect()
}

fn components(codes: &[u16]) -> ComponentSet {
    codes
        .iter()
        .map(|code| Component::from_code(*code).unwrap())
        .collect()
}

fn one_row() -> Frame {
    let columns = vec![
        vec![60.0],
        vec![1_234.5],
        vec![-0.5],
        vec![99.75],
        vec![17.125],
    ];
    let minute = Timespan::from_second(60).unwrap();
    Frame::new(
        minute,
        components(&[1, 2, 3, 4, 7]),
        vec![28_333_333],
        columns,
    )
    .unwrap()
}

/// Every kind of component, buckets with holes, values of every class.
fn irregular_frame(rows: usize) -> Frame {
    let codes = [1, 2, 5, 6, 8, 101, 199, 0x8001, 0x8002, 0x8007, 0x80c3];
    let buckets = (0_i64..)
        .filter(|bucket| bucket % 7 != 3 && bucket % 11 != 5)
        .take(rows)
        .collect();
    let unusual = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        f64::from_bits(1),
        f64::from_bits(0xfff8_0000_0000_0007),
    ];
    let columns = vec![
        values(rows, 60, 1.0),
        values(rows, 10_000, 0.01),
        unusual.into_iter().cycle().take(rows).collect(),
        vec![-2.5; rows],
        values(rows, 1_000, 1.0),
        values(rows, u32::MAX, 1e-3),
        values(rows, 3, 0.1),
        vec![59.0; rows],
        values(rows, 2, 1e300),
        values(rows, 100_000, 65_536.0),
        values(rows, 100_000, -1.0),
    ];
    let granularity = Timespan::from_nanosecond(1_500_000_000).unwrap();
    Frame::new(granularity, components(&codes), buckets, columns).unwrap()
}

/// Buckets of one point: most columns are the one before them again.
fn one_point_each(rows: usize) -> Frame {
    let buckets = (7_200_i64..).take(rows).collect();
    let measured = values(rows, 10_000, 0.01);
    let columns = vec![
        vec![1.0; rows],
        measured.clone(),
        measured.clone(),
        measured.clone(),
        measured,
        vec![0.0; rows],
    ];
    let minute = Timespan::from_second(60).unwrap();
    Frame::new(minute, components(&[1, 2, 3, 4, 6, 7]), buckets, columns).unwrap()
}

fn regular_frame() -> Frame {
    let first = 3_600 * 120;
    let rows = 240;
    let buckets = (0..).map(|row| first + 3 * row).take(rows).collect();
    let mut counts = vec![12.0; rows];
    counts[rows - 1] = 7.0;
    let columns = vec![counts, values(rows, 5_000, 0.125), values(rows, 40, 1.0)];
    let hour = Timespan::from_second(3_600).unwrap();
    Frame::new(hour, components(&[1, 2, 4]), buckets, columns).unwrap()
}

fn jittery_series() -> Series {
    let start = 1_700_000_000_000_000_000;
    let timestamps_ns: Vec<i64> = (0_i64..)
        .zip(noise(200))
        .map(|(index, jitter)| start + index * 10_000_000_000 + i64::from(jitter % 900) * 1_000_000)
        .collect();
    Series::from_points(timestamps_ns, values(200, 4_000, 0.05)).unwrap()
}

fn regular_series() -> Series {
    let timestamps_ns = (0..120).map(|index| index * 300_000_000_000).collect();
    Series::from_points(timestamps_ns, values(120, 100, 0.5)).unwrap()
}

fn batch() -> Vec<(u128, Series)> {
    let single = Series::from_points(vec![i64::MAX], vec![f64::NAN]).unwrap();
    vec![
        (0, regular_series()),
        (u128::MAX, jittery_series()),
        (0x0123_4567_89ab_cdef_0123_4567_89ab_cdef, single),
        (7, Series::new()),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn encode(case: &Case) -> Vec<u8> {
    match &case.meaning {
        Meaning::Frame(frame) => frame::encode(frame, case.encoding),
        Meaning::Points(series) => points::encode(series, case.encoding),
        Meaning::Measures(batch) => {
            let borrowed: Vec<_> = batch
                .iter()
                .map(|(metric, series)| (*metric, series))
                .collect();
            measures::encode(&borrowed)
        }
    }
}

fn assert_meaning(bytes: &[u8], meaning: &Meaning) {
    match meaning {
        Meaning::Frame(expected) => {
            let (decoded, consumed) = frame::decode(bytes).unwrap();
            assert_same_frame(&decoded, expected);
            assert_eq!(consumed, bytes.len());
        }
        Meaning::Points(expected) => {
            let (decoded, consumed) = points::decode(bytes).unwrap();
            assert_same_series(&decoded, expected);
            assert_eq!(consumed, bytes.len());
        }
        Meaning::Measures(expected) => {
            let decoded = measures::decode(bytes).unwrap();
            assert_eq!(decoded.len(), expected.len());
            for ((metric, series), (expected_metric, expected_series)) in
                decoded.iter().zip(expected)
            {
                assert_eq!(metric, expected_metric);
                assert_same_series(series, expected_series);
            }
        }
    }
}

/// Set this variable to write the files of new cases before they are read.
const WRITE_NEW: &str = "GNOCCHI_WRITE_VECTORS";

/// Writes a file that does not exist yet.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::create_new(path)?.write_all(bytes)
}

#[test]
fn every_file_decodes_to_its_meaning() {
    if env::var_os(WRITE_NEW).is_some() {
        write_files_of_new_cases();
    }
    for case in cases() {
        let bytes = fs::read(folder().join(case.file))
            .unwrap_or_else(|error| panic!("{}: {error}; {WRITE_NEW}=1 writes it", case.file));
        assert_meaning(&bytes, &case.meaning);
    }
}

#[test]
fn every_meaning_survives_the_encoder_of_today() {
    for case in cases() {
        assert_meaning(&encode(&case), &case.meaning);
    }
}

#[test]
fn every_file_has_a_case() {
    let names: Vec<&str> = cases().iter().map(|case| case.file).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name.as_str()), "{name} has no case");
    }
}

#[test]
fn the_generator_refuses_to_overwrite() {
    let path = folder().join(cases()[0].file);
    let before = fs::read(&path).unwrap();
    let error = write_new(&path, b"other").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// Writes the files of cases that have none yet.
fn write_files_of_new_cases() {
    for case in cases() {
        match write_new(&folder().join(case.file), &encode(&case)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.unwrap(),
        }
    }
}
