use super::*;

fn minute() -> Timespan {
    Timespan::from_second(60).expect("positive")
}

fn components(names: &[&str]) -> ComponentSet {
    let methods: Vec<AggregationMethod> = names
        .iter()
        .map(|name| name.parse().expect("a method"))
        .collect();
    ComponentSet::for_methods(&methods)
}

/// A frame of `last` alone.
fn lasts(rows: &[(i64, f64)]) -> Frame {
    let (buckets, column) = rows.iter().copied().unzip();
    Frame::new(minute(), components(&["last"]), buckets, vec![column]).expect("a frame")
}

fn points(frame: &Frame, method: &str) -> Option<Vec<(i64, f64)>> {
    let series = frame.series(method.parse().expect("a method"))?;
    Some(
        series
            .iter()
            .map(|point| (point.timestamp.as_second(), point.value))
            .collect(),
    )
}

#[test]
fn the_constructor_checks_its_parts() {
    let check = |buckets: &[i64], columns: &[&[f64]], expected| {
        let columns = columns.iter().map(|column| column.to_vec()).collect();
        let made = Frame::new(minute(), components(&["last"]), buckets.to_vec(), columns);
        assert_eq!(made.err(), expected);
    };
    check(&[], &[&[]], None);
    check(&[1, 2], &[&[1.0, 2.0]], None);
    check(&[1], &[], Some(FrameError::ColumnsMissing));
    check(&[1], &[&[1.0], &[1.0]], Some(FrameError::ColumnsMissing));
    check(&[1], &[&[]], Some(FrameError::LengthsDiffer));
    check(&[2, 2], &[&[1.0, 1.0]], Some(FrameError::BucketsUnsorted));
    check(&[-1], &[&[1.0]], Some(FrameError::BucketOutOfRange));
    check(&[i64::MAX], &[&[1.0]], Some(FrameError::BucketOutOfRange));
}

#[test]
fn later_frames_win_row_by_row() {
    let check = |frames: &[&[(i64, f64)]], expected: &[(i64, f64)]| {
        let frames: Vec<Frame> = frames.iter().map(|rows| lasts(rows)).collect();
        let references: Vec<&Frame> = frames.iter().collect();
        assert_eq!(Frame::merge(&references), Ok(lasts(expected)));
    };
    check(&[&[]], &[]);
    check(&[&[(1, 1.0)], &[]], &[(1, 1.0)]);
    check(&[&[(1, 1.0)], &[(2, 2.0)]], &[(1, 1.0), (2, 2.0)]);
    check(&[&[(2, 2.0)], &[(1, 1.0)]], &[(1, 1.0), (2, 2.0)]);
    check(
        &[
            &[(1, 1.0), (2, 1.0), (3, 1.0)],
            &[(2, 2.0)],
            &[],
            &[(0, 3.0), (3, 3.0)],
        ],
        &[(0, 3.0), (1, 1.0), (2, 2.0), (3, 3.0)],
    );
    check(&[&[(1, 1.0)], &[(1, 2.0)], &[(1, 3.0)]], &[(1, 3.0)]);
}

#[test]
fn frames_that_do_not_match_are_refused() {
    let last = lasts(&[(1, 1.0)]);
    let other = Frame::empty(minute(), components(&["max"]));
    let coarser = Frame::empty(
        Timespan::from_second(300).expect("positive"),
        components(&["last"]),
    );
    assert_eq!(
        Frame::merge(&[&other, &last]),
        Err(FrameError::ComponentsDiffer)
    );
    assert_eq!(
        Frame::merge(&[&last, &coarser]),
        Err(FrameError::GranularitiesDiffer)
    );
    assert_eq!(Frame::merge(&[]), Err(FrameError::NothingToMerge));
}

#[test]
fn methods_are_computed_from_components() {
    let frame = Frame::new(
        minute(),
        components(&["mean", "std"]),
        vec![0, 1, 2],
        vec![
            vec![2.0, 1.0, 4.0],
            vec![3.0, 5.0, 8.0],
            vec![0.5, 0.0, 12.0],
        ],
    )
    .expect("a frame");
    assert_eq!(
        points(&frame, "mean"),
        Some(vec![(0, 1.5), (60, 5.0), (120, 2.0)])
    );
    assert_eq!(
        points(&frame, "std"),
        Some(vec![(0, 0.5_f64.sqrt()), (120, 2.0)])
    );
    assert_eq!(
        points(&frame, "count"),
        Some(vec![(0, 2.0), (60, 1.0), (120, 4.0)])
    );
    assert_eq!(points(&frame, "max"), None);
    assert_eq!(points(&frame, "rate:mean"), None);
    assert_eq!(points(&frame, "rate:max"), None);
}

#[test]
fn rows_without_a_difference_have_no_rate() {
    let frame = Frame::new(
        minute(),
        components(&["last", "rate:last"]),
        vec![0, 1],
        vec![vec![7.0, 9.0], vec![0.0, 1.0], vec![0.0, 2.0]],
    )
    .expect("a frame");
    assert_eq!(points(&frame, "last"), Some(vec![(0, 7.0), (60, 9.0)]));
    assert_eq!(points(&frame, "rate:last"), Some(vec![(60, 2.0)]));
    assert_eq!(points(&frame, "rate:count"), Some(vec![(60, 1.0)]));
}

#[test]
fn ranges_and_blocks_cut_between_rows() {
    let inverted = Range {
        start: 9000,
        end: 1,
    };
    let frame = lasts(&[(3599, 1.0), (3600, 2.0), (7199, 3.0), (7200, 4.0)]);
    assert_eq!(frame.range(3600..7200), lasts(&[(3600, 2.0), (7199, 3.0)]));
    assert!(frame.range(inverted).is_empty());
    assert_eq!(
        frame.split_blocks(),
        [
            (0, lasts(&[(3599, 1.0)])),
            (1, lasts(&[(3600, 2.0), (7199, 3.0)])),
            (2, lasts(&[(7200, 4.0)])),
        ]
    );
    assert_eq!(
        frame.first_timestamp(),
        Timestamp::from_second(3599 * 60).ok()
    );
    assert_eq!(
        frame.last_timestamp(),
        Timestamp::from_second(7200 * 60).ok()
    );
    assert!(lasts(&[]).split_blocks().is_empty());
}
