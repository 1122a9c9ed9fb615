use super::*;

fn series(points: &[(i64, f64)]) -> Series {
    let (timestamps_ns, values) = points.iter().copied().unzip();
    Series::from_points(timestamps_ns, values).expect("valid points")
}

fn at(nanosecond: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanosecond).expect("not before the epoch")
}

#[test]
fn the_last_received_wins_at_an_equal_timestamp() {
    assert_eq!(
        series(&[(2, 1.0), (1, 2.0), (2, 3.0), (1, 4.0)]),
        series(&[(1, 4.0), (2, 3.0)])
    );
    assert_eq!(series(&[(7, 1.0), (7, 2.0)]), series(&[(7, 2.0)]));
}

#[test]
fn sorted_columns_are_not_copied() {
    let timestamps_ns = vec![1, 2, 3];
    let address = timestamps_ns.as_ptr();
    let series = Series::from_points(timestamps_ns, vec![0.0; 3]).expect("valid points");
    assert_eq!(series.timestamps_ns().as_ptr(), address);
}

#[test]
fn bad_columns_are_refused() {
    let check = |timestamps_ns: &[i64], values: usize, expected| {
        assert_eq!(
            Series::from_points(timestamps_ns.to_vec(), vec![0.0; values]),
            Err(expected)
        );
    };
    check(&[1], 0, SeriesError::LengthsDiffer);
    check(&[-1], 1, SeriesError::BeforeEpoch);
    check(&[-1, 5], 2, SeriesError::BeforeEpoch);
    check(&[5, -1], 2, SeriesError::BeforeEpoch);
}

#[test]
fn merge_prefers_the_later_series() {
    let check = |old: &[(i64, f64)], new: &[(i64, f64)], expected: &[(i64, f64)]| {
        assert_eq!(series(old).merge(&series(new)), series(expected));
        let mut in_place = series(old);
        in_place.append_in_place(&series(new));
        assert_eq!(in_place, series(expected));
    };
    check(&[], &[], &[]);
    check(&[(1, 1.0)], &[], &[(1, 1.0)]);
    check(&[], &[(1, 1.0)], &[(1, 1.0)]);
    check(&[(1, 1.0)], &[(2, 2.0)], &[(1, 1.0), (2, 2.0)]);
    check(&[(1, 1.0)], &[(1, 2.0)], &[(1, 2.0)]);
    check(
        &[(1, 1.0), (3, 3.0), (5, 5.0)],
        &[(2, 2.0), (3, 30.0), (9, 9.0)],
        &[(1, 1.0), (2, 2.0), (3, 30.0), (5, 5.0), (9, 9.0)],
    );
    check(&[(5, 5.0)], &[(1, 1.0)], &[(1, 1.0), (5, 5.0)]);
}

#[test]
fn slices_are_half_open() {
    let series = series(&[(1, 1.0), (3, 3.0), (5, 5.0)]);
    assert_eq!(series.slice(at(1)..at(5)).timestamps_ns, [1, 3]);
    assert_eq!(series.slice(at(2)..at(9)).values, [3.0, 5.0]);
    assert!(series.slice(at(5)..at(1)).is_empty());
    assert_eq!(series.slice(at(3)..at(6)).to_series().len(), 2);
    assert_eq!(series.as_slice().len(), 3);
}

#[test]
fn truncation_keeps_the_border() {
    let mut series = series(&[(1, 1.0), (3, 3.0), (5, 5.0)]);
    series.truncate_before(at(3));
    assert_eq!(series.timestamps_ns(), [3, 5]);
    series.truncate_before(at(9));
    assert!(series.is_empty());
    assert_eq!(series.first(), None);
    assert_eq!(series.last(), None);
}

#[test]
fn points_come_in_order() {
    let series = series(&[(1, 1.0), (3, 3.0)]);
    let points: Vec<Point> = series.iter().collect();
    assert_eq!(Some(points[0]), series.first());
    assert_eq!(Some(points[1]), series.last());
    assert_eq!(series.into_parts(), (vec![1, 3], vec![1.0, 3.0]));
}
