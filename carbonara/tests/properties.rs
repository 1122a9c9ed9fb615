//! Properties of series, the fused pass and frames, against plain versions of the same.

mod oracle;

use std::collections::BTreeMap;

use carbonara::{
    AggregationMethod, CalendarUnit, ComponentSet, Frame, ResampleTo, Series, Timespan, Timestamp,
    aggregate, calendar, resample,
};
use jiff::tz::TimeZone;
use oracle::Points;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e3..1e3,
        4 => (-20..20_i32).prop_map(f64::from),
        2 => 1e9..1e9 + 1.0,
        1 => select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e100]),
    ]
}

/// Timestamps that crowd and leave gaps.
fn points() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let step = prop_oneof![
        6 => Just(1_000_000_000_i64),
        2 => 1..5_000_000_000_i64,
        1 => 1..4_000_000_000_000_i64,
    ];
    (
        0..1_500_000_000_000_000_000_i64,
        vec((step, value()), 0..200),
    )
        .prop_map(|(start, steps)| {
            let mut at_ns = start;
            steps
                .into_iter()
                .map(|(step, value)| {
                    at_ns += step;
                    (at_ns, value)
                })
                .collect()
        })
}

fn granularity() -> impl Strategy<Value = Timespan> {
    prop_oneof![
        select(vec![1, 7, 10, 60, 300, 3600, 86400]).prop_map(|second| second * 1_000_000_000),
        select(vec![1, 500_000_000, 3_333_333_333, i64::MAX]),
    ]
    .prop_map(|nanosecond| Timespan::from_nanosecond(nanosecond).expect("positive"))
}

fn methods() -> impl Strategy<Value = Vec<AggregationMethod>> {
    let all: Vec<AggregationMethod> = AggregationMethod::all().collect();
    prop_oneof![
        subsequence(all[..9].to_vec(), 1..=9),
        subsequence(all, 1..=20),
    ]
}

fn series(points: &[(i64, f64)]) -> Series {
    let (timestamps_ns, values) = points.iter().copied().unzip();
    Series::from_points(timestamps_ns, values).expect("not before the epoch")
}

fn assert_same_points(found: &Series, expected: &Points) {
    let expected_bits: Vec<(i64, u64)> = expected
        .iter()
        .map(|(at_ns, value)| (*at_ns, value.to_bits()))
        .collect();
    let found_bits: Vec<(i64, u64)> = found
        .iter()
        .map(|point| (point.timestamp.as_nanosecond(), point.value.to_bits()))
        .collect();
    assert_eq!(found_bits, expected_bits);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fused_pass_equals_the_plain_version(
        points in points(),
        levels in vec(granularity(), 1..6),
        methods in methods(),
    ) {
        let series = series(&points);
        let plain: Points = points.into_iter().collect();
        let components = ComponentSet::for_methods(&methods);
        let frames = aggregate(series.timestamps_ns(), series.values(), None, &levels, &components);
        prop_assert_eq!(frames.len(), levels.len());
        for (frame, level) in frames.iter().zip(&levels) {
            for method in &methods {
                let found = frame.series(*method).expect("the method was asked for");
                oracle::assert_same(&found, &oracle::aggregate(&plain, *level, *method), *method);
            }
        }
    }

    #[test]
    fn a_previous_value_is_a_point_before(
        points in points(),
        level in granularity(),
        methods in methods(),
    ) {
        prop_assume!(points.len() > 1);
        let series = series(&points);
        let components = ComponentSet::for_methods(&methods);
        let whole = aggregate(series.timestamps_ns(), series.values(), None, &[level], &components);
        // The last bucket alone.
        let last = *whole[0].buckets().last().expect("there are points");
        let start = last * level.as_nanosecond();
        let from = series.timestamps_ns().partition_point(|at_ns| *at_ns < start);
        let previous = from.checked_sub(1).map(|before| series.values()[before]);
        let part = aggregate(
            &series.timestamps_ns()[from..],
            &series.values()[from..],
            previous,
            &[level],
            &components,
        );
        let expected = whole[0].range(last..i64::MAX);
        prop_assert_eq!(oracle::bits(&part[0]), oracle::bits(&expected));
    }

    #[test]
    fn received_points_become_a_series(
        received in vec((0..50_i64, value()), 0..100),
    ) {
        let expected: Points = received.iter().copied().collect();
        assert_same_points(&series(&received), &expected);
    }

    #[test]
    fn merging_series_prefers_the_later(
        old in vec((0..80_i64, value()), 0..60),
        new in vec((0..80_i64, value()), 0..60),
    ) {
        let mut expected: Points = old.iter().copied().collect();
        expected.extend(new.iter().copied());
        let (old, new) = (series(&old), series(&new));
        assert_same_points(&old.merge(&new), &expected);
        let mut in_place = old;
        in_place.append_in_place(&new);
        assert_same_points(&in_place, &expected);
    }

    #[test]
    fn merging_frames_prefers_the_later(
        rows in vec(vec((0..60_i64, value()), 0..30), 1..6),
    ) {
        let granularity = Timespan::from_second(1).expect("positive");
        let methods = ["last".parse().expect("a method")];
        let components = ComponentSet::for_methods(&methods);
        let mut expected: BTreeMap<i64, f64> = BTreeMap::new();
        let frames: Vec<Frame> = rows
            .into_iter()
            .map(|rows| {
                let rows: BTreeMap<i64, f64> = rows.into_iter().collect();
                expected.extend(&rows);
                let (buckets, column) = rows.into_iter().unzip();
                Frame::new(granularity, components.clone(), buckets, vec![column]).expect("a frame")
            })
            .collect();
        let merged = Frame::merge(&frames.iter().collect::<Vec<_>>()).expect("they match");
        let (buckets, column) = expected.into_iter().unzip();
        let expected = Frame::new(granularity, components, buckets, vec![column]).expect("a frame");
        prop_assert_eq!(oracle::bits(&merged), oracle::bits(&expected));
        let (first, later) = frames.split_first().expect("at least one");
        let mut in_place = first.clone();
        for frame in later {
            in_place.merge_in_place(frame).expect("they match");
        }
        prop_assert_eq!(oracle::bits(&in_place), oracle::bits(&expected));
        let parts: Vec<Frame> = merged.clone().into_blocks().into_iter().map(|(_, part)| part).collect();
        if !parts.is_empty() {
            let joined = Frame::merge(&parts.iter().collect::<Vec<_>>()).expect("they match");
            prop_assert_eq!(oracle::bits(&joined), oracle::bits(&merged));
        }
    }

    #[test]
    fn resampling_equals_the_plain_version(
        points in points(),
        granularity in granularity(),
        method in select(AggregationMethod::all().take(108).collect::<Vec<_>>()),
    ) {
        let resampled = resample(&series(&points), ResampleTo::Span(granularity), method.statistic);
        let plain: Points = points.into_iter().collect();
        oracle::assert_same(&resampled, &oracle::aggregate(&plain, granularity, method), method);
    }

    #[test]
    fn calendar_units_tile_time(
        second in 0..9_223_372_036_i64,
        unit in select(vec!["Y", "H", "Q", "M", "W"]),
        zone in select(vec!["UTC", "Europe/Paris", "America/Sao_Paulo", "Australia/Lord_Howe"]),
    ) {
        let unit: CalendarUnit = unit.parse().expect("a letter");
        let zone = TimeZone::get(zone).expect("a zone of the bundled database");
        let at = Timestamp::from_second(second).expect("valid");
        let (start, end) = (calendar::floor(at, unit, &zone), calendar::next(at, unit, &zone));
        prop_assert!(start <= at && at < end);
        prop_assert_eq!(calendar::floor(start, unit, &zone), start);
        if end < Timestamp::MAX {
            prop_assert_eq!(calendar::floor(end, unit, &zone), end);
        }
    }
}

#[test]
fn every_method_of_a_fixed_series_equals_the_plain_version() {
    let points: Points = (0..4000_i32)
        .map(|index| {
            let value = f64::from(index % 97).sin() * 40.0 + f64::from(index / 1000) * 1e6;
            (i64::from(index) * 1_500_000_000, value)
        })
        .collect();
    let (timestamps_ns, values): (Vec<i64>, Vec<f64>) = points.iter().unzip();
    let methods: Vec<AggregationMethod> = AggregationMethod::all().collect();
    let components = ComponentSet::for_methods(&methods);
    let levels = [1, 60, 300, 3600].map(|second| Timespan::from_second(second).expect("positive"));
    let frames = aggregate(&timestamps_ns, &values, None, &levels, &components);
    for (frame, level) in frames.iter().zip(levels) {
        for method in &methods {
            let found = frame.series(*method).expect("the method was asked for");
            oracle::assert_same(&found, &oracle::aggregate(&points, level, *method), *method);
        }
    }
}
