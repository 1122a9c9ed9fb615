use super::*;
use crate::method::AggregationMethod;

const SECOND: i64 = 1_000_000_000;

fn spans(seconds: &[i64]) -> Vec<Timespan> {
    seconds
        .iter()
        .map(|second| Timespan::from_second(*second).expect("positive"))
        .collect()
}

fn method(name: &str) -> AggregationMethod {
    name.parse().expect("a method")
}

/// Aggregates points of (second, value) at one level by one method.
fn check(points: &[(i64, f64)], second: i64, name: &str, expected: &[(i64, f64)]) {
    let (timestamps_ns, values): (Vec<i64>, Vec<f64>) = points
        .iter()
        .map(|(at, value)| (at * SECOND, *value))
        .unzip();
    let components = ComponentSet::for_methods(&[method(name)]);
    let frames = aggregate(
        &timestamps_ns,
        &values,
        None,
        &spans(&[second]),
        &components,
    );
    let series = frames[0].series(method(name)).expect("the column is there");
    let found: Vec<(i64, f64)> = series
        .iter()
        .map(|point| (point.timestamp.as_second(), point.value))
        .collect();
    assert_eq!(found, expected, "{name} at {second} s");
}

#[test]
fn known_results() {
    let points = [
        (0, 3.0),
        (10, 5.0),
        (59, 1.0),
        (60, 8.0),
        (200, 2.0),
        (201, 4.0),
    ];
    check(&points, 60, "mean", &[(0, 3.0), (60, 8.0), (180, 3.0)]);
    check(&points, 60, "sum", &[(0, 9.0), (60, 8.0), (180, 6.0)]);
    check(&points, 60, "min", &[(0, 1.0), (60, 8.0), (180, 2.0)]);
    check(&points, 60, "max", &[(0, 5.0), (60, 8.0), (180, 4.0)]);
    check(&points, 60, "first", &[(0, 3.0), (60, 8.0), (180, 2.0)]);
    check(&points, 60, "last", &[(0, 1.0), (60, 8.0), (180, 4.0)]);
    check(&points, 60, "count", &[(0, 3.0), (60, 1.0), (180, 2.0)]);
    check(&points, 60, "std", &[(0, 2.0), (180, 2.0_f64.sqrt())]);
    check(&points, 60, "median", &[(0, 3.0), (60, 8.0), (180, 3.0)]);
    check(&points, 60, "75pct", &[(0, 4.0), (60, 8.0), (180, 3.5)]);
    check(&points, 3600, "sum", &[(0, 23.0)]);
    check(&[], 60, "mean", &[]);
}

#[test]
fn rates() {
    // The points of 14:33:00 and of the minute after.
    let points = [
        (0, 10.0),
        (70, 13.0),
        (75, 13.0),
        (80, 15.0),
        (85, 18.0),
        (90, 20.0),
    ];
    check(&points, 60, "rate:mean", &[(60, 2.0)]);
    check(&points, 60, "rate:max", &[(60, 3.0)]);
    check(&points, 60, "rate:count", &[(60, 5.0)]);
    check(&points, 60, "rate:median", &[(60, 2.0)]);
    check(&points, 60, "rate:last", &[(60, 2.0)]);
    check(&points, 3600, "rate:sum", &[(0, 10.0)]);
    // However far apart, neighbours have a difference.
    check(&[(0, 1.0), (420, 11.0)], 60, "rate:mean", &[(420, 10.0)]);
    check(&[(0, 1.0)], 60, "rate:mean", &[]);
}

#[test]
fn the_previous_value_gives_the_first_difference() {
    let components = ComponentSet::for_methods(&[method("rate:first"), method("rate:95pct")]);
    let frames = aggregate(&[5, 6], &[4.0, 5.0], Some(1.0), &spans(&[60]), &components);
    let firsts = frames[0].series(method("rate:first")).expect("there");
    assert_eq!(firsts.values(), [3.0]);
}

#[test]
fn levels_come_in_the_order_asked_and_need_not_divide_one_another() {
    let timestamps_ns: Vec<i64> = (0..100).map(|second| second * SECOND).collect();
    let values: Vec<f64> = (0..100).map(f64::from).collect();
    let components = ComponentSet::for_methods(&[method("sum"), method("count")]);
    let levels = spans(&[60, 7, 1, 3600]);
    let together = aggregate(&timestamps_ns, &values, None, &levels, &components);
    for (level, frame) in levels.iter().zip(&together) {
        assert_eq!(frame.granularity(), *level);
        let alone = aggregate(&timestamps_ns, &values, None, &[*level], &components);
        assert_eq!(&alone[0], frame);
    }
}

#[test]
fn no_level_no_frame() {
    let components = ComponentSet::for_methods(&["max", "std", "median"].map(method));
    assert!(aggregate(&[1, 2], &[1.0, 2.0], None, &[], &components).is_empty());
}

#[test]
fn many_segments_are_written_in_parts() {
    let names = [
        "mean",
        "max",
        "first",
        "last",
        "median",
        "rate:last",
        "rate:median",
    ];
    let components = ComponentSet::for_methods(&names.map(method));
    let timestamps_ns: Vec<i64> = (0..1000).map(|second| second * SECOND).collect();
    let values: Vec<f64> = (0..1000).map(|index| f64::from(index * 37 % 101)).collect();
    // Beside the 1 s level, each segment is a single point.
    let together = aggregate(
        &timestamps_ns,
        &values,
        None,
        &spans(&[1, 300, 3600]),
        &components,
    );
    let alone = aggregate(&timestamps_ns, &values, None, &spans(&[3600]), &components);
    assert!(timestamps_ns.len() > 3 * SEGMENTS_MAX);
    assert_eq!(together[2], alone[0]);
    assert_eq!(together[0].len(), 1000);
}

#[test]
fn a_resumed_bucket_equals_one_pass() {
    let names = [
        "mean",
        "std",
        "min",
        "max",
        "first",
        "last",
        "rate:mean",
        "rate:std",
    ];
    let components = ComponentSet::for_methods(&names.map(method));
    let timestamps_ns: Vec<i64> = (0..50).map(|index| index * 3 * SECOND).collect();
    let values: Vec<f64> = (0..50)
        .map(|index| f64::from(index * 37 % 11).sqrt())
        .collect();
    let levels = spans(&[10, 60]);
    let whole = aggregate(&timestamps_ns, &values, None, &levels, &components);
    for cut in 1..timestamps_ns.len() {
        let mut before = Pass::new(&levels, &components);
        before.run(&timestamps_ns[..cut], &values[..cut], None);
        let (earlier, open) = before.finish();
        let mut after = Pass::new(&levels, &components);
        after.resume(&open, timestamps_ns[cut]);
        after.run(&timestamps_ns[cut..], &values[cut..], Some(values[cut - 1]));
        let (later, _) = after.finish();
        for ((earlier, later), whole) in earlier.iter().zip(&later).zip(&whole) {
            assert_eq!(Frame::merge(&[earlier, later]).as_ref(), Ok(whole));
        }
    }
}

#[test]
fn nan_in_a_frame_is_the_canonical_one() {
    let components = ComponentSet::for_methods(&["mean", "last", "std", "min"].map(method));
    let frames = aggregate(
        &[1, 2],
        &[-f64::NAN, -f64::NAN],
        None,
        &spans(&[1]),
        &components,
    );
    for column in &frames[0].columns()[1..] {
        assert_eq!(column[0].to_bits(), f64::NAN.to_bits());
    }
}
