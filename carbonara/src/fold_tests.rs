use super::*;
use crate::plan::Level;

const SECOND: i64 = 1_000_000_000;

fn plan(levels: &[(i64, Option<i64>)], methods: &[&str], back_window: u32) -> AggregationPlan {
    let span = |second| Timespan::from_second(second).expect("positive");
    let levels = levels
        .iter()
        .map(|(granularity, timespan)| Level {
            granularity: span(*granularity),
            timespan: timespan.map(span),
        })
        .collect();
    let methods: Vec<_> = methods
        .iter()
        .map(|name| name.parse().expect("a method"))
        .collect();
    AggregationPlan::new(levels, &methods, back_window).expect("a plan")
}

fn series(points: &[(i64, f64)]) -> Series {
    let (timestamps_ns, values) = points
        .iter()
        .map(|(second, value)| (second * SECOND, *value))
        .unzip();
    Series::from_points(timestamps_ns, values).expect("valid points")
}

/// The points of one method in the frame of one granularity.
fn rows(folded: &Folded, second: i64, method: &str) -> Vec<(i64, f64)> {
    let granularity = Timespan::from_second(second).expect("positive");
    folded
        .frames
        .iter()
        .filter(|frame| frame.granularity() == granularity)
        .filter_map(|frame| frame.series(method.parse().expect("a method")))
        .flat_map(|series| {
            let points = series.iter();
            points
                .map(|point| (point.timestamp.as_second(), point.value))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn points_in_order_continue_their_buckets() {
    let plan = plan(&[(60, None), (300, None)], &["sum"], 0);
    let mut window = Window::empty(&plan);
    let first = window
        .fold(&plan, &[&series(&[(0, 1.0), (70, 2.0)])])
        .expect("in order");
    assert_eq!(rows(&first, 60, "sum"), [(0, 1.0), (60, 2.0)]);
    assert_eq!(rows(&first, 300, "sum"), [(0, 3.0)]);
    window.forget_points();
    let second = window
        .fold(&plan, &[&series(&[(80, 4.0)])])
        .expect("in order");
    assert_eq!(rows(&second, 60, "sum"), [(60, 6.0)]);
    assert_eq!(rows(&second, 300, "sum"), [(0, 7.0)]);
    assert_eq!((second.accepted, second.added.len()), (1, 1));
}

#[test]
fn late_points_need_the_points() {
    let plan = plan(&[(60, None)], &["sum"], 1);
    let mut window = Window::empty(&plan);
    let stored = series(&[(0, 1.0), (61, 2.0)]);
    window.fold(&plan, &[&stored]).expect("in order");
    window.forget_points();
    let late = series(&[(30, 5.0)]);
    assert_eq!(window.fold(&plan, &[&late]).err(), Some(PointsRequired));
    let mut window = Window::restore(&plan, stored, Timestamp::EPOCH);
    let folded = window.fold(&plan, &[&late]).expect("points are held");
    assert_eq!(rows(&folded, 60, "sum"), [(0, 6.0)]);
}

#[test]
fn a_value_written_again_replaces_the_first() {
    let plan = plan(&[(60, None)], &["sum", "last"], 0);
    let mut window = Window::empty(&plan);
    let old = series(&[(1, 1.0), (2, 2.0)]);
    let folded = window
        .fold(&plan, &[&old, &series(&[(2, 9.0)])])
        .expect("points are held");
    assert_eq!(rows(&folded, 60, "sum"), [(0, 10.0)]);
    assert_eq!((folded.accepted, folded.added.len()), (3, 2));
    let folded = window.fold(&plan, &[&old]).expect("points are held");
    assert_eq!(rows(&folded, 60, "sum"), [(0, 3.0)]);
    assert_eq!(rows(&folded, 60, "last"), [(0, 2.0)]);
}

#[test]
fn lateness_is_decided_batch_by_batch() {
    let plan = plan(&[(60, None)], &["count"], 0);
    let early = series(&[(10, 1.0), (50, 1.0)]);
    let jump = series(&[(20, 1.0), (200, 1.0)]);
    let mut together = Window::empty(&plan);
    let folded = together
        .fold(&plan, &[&early, &jump, &early])
        .expect("points are held");
    assert_eq!(folded.accepted, 4);
    let rejected: Vec<i64> = folded
        .rejected
        .iter()
        .map(|rejected| rejected.timestamp.as_second())
        .collect();
    assert_eq!(rejected, [10, 50]);
    assert_eq!(rows(&folded, 60, "count"), [(0, 3.0), (180, 1.0)]);
    assert_eq!(
        folded.keep_raw_from,
        Timestamp::from_second(180).expect("valid")
    );
    // The stored block of raw points, an hour here, is kept whole.
    assert_eq!(
        folded.added,
        series(&[(10, 1.0), (20, 1.0), (50, 1.0), (200, 1.0)])
    );

    let mut apart = Window::empty(&plan);
    apart.fold(&plan, &[&early]).expect("points are held");
    apart.fold(&plan, &[&jump]).expect("points are held");
    let folded = apart.fold(&plan, &[&early]).expect("points are held");
    assert_eq!((folded.accepted, folded.rejected.len()), (0, 2));
    assert!(folded.frames.is_empty() && folded.added.is_empty());
    assert_eq!(apart.last(), together.last());
}

#[test]
fn rates_do_not_depend_on_batches() {
    // Seven minutes apart: the reference loses this difference when the points come separately.
    let plan = plan(&[(60, None), (3600, None)], &["rate:mean"], 0);
    let mut window = Window::empty(&plan);
    let first = window.fold(&plan, &[&series(&[(0, 1.0)])]).expect("held");
    assert_eq!(rows(&first, 60, "rate:mean"), []);
    assert_eq!(rows(&first, 60, "rate:count"), []);
    window.forget_points();
    let second = window
        .fold(&plan, &[&series(&[(420, 11.0)])])
        .expect("in order");
    assert_eq!(rows(&second, 60, "rate:mean"), [(420, 10.0)]);
    assert_eq!(rows(&second, 3600, "rate:mean"), [(0, 10.0)]);
}

#[test]
fn a_late_point_changes_the_difference_after_it() {
    let plan = plan(&[(60, None)], &["rate:last"], 9);
    let mut window = Window::empty(&plan);
    let points = series(&[(0, 1.0), (130, 7.0), (300, 9.0)]);
    window.fold(&plan, &[&points]).expect("points are held");
    let late = series(&[(61, 4.0)]);
    let folded = window.fold(&plan, &[&late]).expect("points are held");
    assert_eq!(rows(&folded, 60, "rate:last"), [(60, 3.0), (120, 3.0)]);
}

#[test]
fn a_granularity_that_does_not_divide_the_block_keeps_its_buckets_whole() {
    let plan = plan(&[(7, None), (60, None)], &["sum"], 0);
    let mut window = Window::empty(&plan);
    let minute: Vec<(i64, f64)> = (110..=125).map(|second| (second, 1.0)).collect();
    window.fold(&plan, &[&series(&minute)]).expect("held");
    // 119..126 straddles the start of the block at 120.
    let again = series(&[(119, 1.0), (120, 1.0)]);
    let folded = window.fold(&plan, &[&again]).expect("points are held");
    assert_eq!(rows(&folded, 7, "sum"), [(119, 7.0)]);
    assert_eq!((folded.accepted, folded.rejected.len()), (1, 1));
}

#[test]
fn expired_rows_are_not_produced() {
    let plan = plan(&[(60, Some(180)), (300, None)], &["count"], 0);
    let mut window = Window::empty(&plan);
    let points: Vec<(i64, f64)> = (0..10).map(|minute| (minute * 60, 1.0)).collect();
    let folded = window.fold(&plan, &[&series(&points)]).expect("held");
    assert_eq!(
        rows(&folded, 60, "count"),
        [(420, 1.0), (480, 1.0), (540, 1.0)]
    );
    assert_eq!(rows(&folded, 300, "count"), [(0, 5.0), (300, 5.0)]);
    let [kept] = folded.kept[..] else {
        panic!("one level has a timespan");
    };
    assert_eq!(kept.first_bucket, 7);
    assert_eq!(
        kept.granularity,
        Timespan::from_second(60).expect("positive")
    );
}

#[test]
fn a_timespan_that_is_no_multiple_keeps_the_bucket_that_it_cuts() {
    let check = |timespan, newest, expected| {
        let plan = plan(&[(60, Some(timespan))], &["count"], 0);
        let mut window = Window::empty(&plan);
        let folded = window
            .fold(&plan, &[&series(&[(newest, 1.0)])])
            .expect("held");
        assert_eq!(folded.kept[0].first_bucket, expected);
    };
    check(60, 600, 10);
    check(61, 600, 9);
    check(120, 600, 9);
    check(121, 600, 8);
    check(1, 600, 10);
    check(86400, 600, 0);
}

#[test]
fn nothing_in_nothing_out() {
    let plan = plan(&[(60, Some(60))], &["95pct"], 0);
    let mut window = Window::empty(&plan);
    let folded = window.fold(&plan, &[]).expect("nothing to do");
    assert!(folded.frames.is_empty() && folded.kept.is_empty());
    assert_eq!(folded.keep_raw_from, Timestamp::EPOCH);
    let folded = window
        .fold(&plan, &[&Series::new()])
        .expect("nothing to do");
    assert_eq!((folded.accepted, window.last()), (0, None));
}

#[test]
fn a_larger_back_window_does_not_reopen_what_was_dropped() {
    let narrow = plan(&[(60, None)], &["count"], 0);
    let wide = plan(&[(60, None)], &["count"], 5);
    let mut window = Window::empty(&narrow);
    window
        .fold(&narrow, &[&series(&[(10, 1.0), (130, 1.0)])])
        .expect("points are held");
    let late = window.fold(&wide, &[&series(&[(11, 1.0)])]).expect("held");
    assert_eq!(late.rejected.len(), 1);
    window.fold(&wide, &[&series(&[(190, 1.0)])]).expect("held");
    let late = window.fold(&wide, &[&series(&[(131, 1.0)])]).expect("held");
    assert_eq!(rows(&late, 60, "count"), [(120, 2.0)]);
}

#[test]
fn order_statistics_are_computed_from_all_values() {
    let plan = plan(&[(60, None)], &["median", "rate:median"], 0);
    let mut window = Window::empty(&plan);
    window
        .fold(&plan, &[&series(&[(1, 5.0), (2, 1.0)])])
        .expect("points are held");
    let folded = window.fold(&plan, &[&series(&[(3, 2.0)])]).expect("held");
    assert_eq!(rows(&folded, 60, "median"), [(0, 2.0)]);
    assert_eq!(rows(&folded, 60, "rate:median"), [(0, -1.5)]);
    window.forget_points();
    let next = series(&[(4, 2.0)]);
    assert_eq!(window.fold(&plan, &[&next]).err(), Some(PointsRequired));
}
