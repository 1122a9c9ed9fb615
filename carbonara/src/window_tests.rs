use super::*;
use crate::plan::Level;
use crate::time::Timespan;

const SECOND: i64 = 1_000_000_000;

fn plan(granularities: &[i64], method: &str, back_window: u32) -> AggregationPlan {
    let levels = granularities
        .iter()
        .map(|second| Level {
            granularity: Timespan::from_second(*second).expect("positive"),
            timespan: None,
        })
        .collect();
    let methods = [method.parse().expect("a method")];
    AggregationPlan::new(levels, &methods, back_window).expect("a plan")
}

fn series(seconds: &[i64]) -> Series {
    let timestamps_ns: Vec<i64> = seconds.iter().map(|second| second * SECOND).collect();
    let values = vec![1.0; timestamps_ns.len()];
    Series::from_points(timestamps_ns, values).expect("valid points")
}

fn held(window: &Window) -> Vec<i64> {
    let points = window.points().expect("points are held");
    points
        .timestamps_ns()
        .iter()
        .map(|at| at / SECOND)
        .collect()
}

#[test]
fn an_empty_window_knows_everything() {
    let plan = plan(&[60], "mean", 0);
    let mut window = Window::empty(&plan);
    window.forget_points();
    assert!(window.has_points());
    assert_eq!((window.last(), window.first_block()), (None, None));
    assert!(
        Window::restore(&plan, Series::new(), Timestamp::EPOCH)
            .last()
            .is_none()
    );
}

#[test]
fn restoring_drops_what_is_not_needed() {
    let check = |plan: &AggregationPlan, seconds: &[i64], expected: &[i64]| {
        let window = Window::restore(plan, series(seconds), Timestamp::EPOCH);
        assert_eq!(held(&window), expected);
    };
    let seconds = [10, 70, 119, 121, 130];
    check(&plan(&[60], "mean", 0), &seconds, &[121, 130]);
    check(&plan(&[60], "mean", 1), &seconds, &[70, 119, 121, 130]);
    // One block more for differences, and the point before it.
    check(&plan(&[60], "rate:mean", 0), &seconds, &seconds);
    check(
        &plan(&[60], "rate:mean", 0),
        &[1, 2, 63, 125, 130],
        &[2, 63, 125, 130],
    );
    // 7 s does not divide 60 s: the bucket of 119 reaches into the block.
    check(&plan(&[7, 60], "mean", 0), &seconds, &[119, 121, 130]);
}

#[test]
fn the_point_before_the_window_is_known_without_points() {
    let plan = plan(&[60], "rate:mean", 0);
    let mut folded_with = Window::empty(&plan);
    let mut folded_without = Window::empty(&plan);
    for second in [5, 6, 70, 71, 400, 401, 470, 1000, 1001, 1100, 1101, 1170] {
        let batch = series(&[second]);
        let with = folded_with.fold(&plan, &[&batch]).expect("points are held");
        folded_without.forget_points();
        let without = folded_without.fold(&plan, &[&batch]).expect("in order");
        assert_eq!(with.keep_raw_from, without.keep_raw_from);
        let stored = folded_with.points().and_then(Series::first).expect("there");
        assert!(with.keep_raw_from <= stored.timestamp);
    }
    assert_eq!(held(&folded_with), [1001, 1100, 1101, 1170]);
    assert!(!folded_without.has_points());
    assert!(folded_without.memory_bytes() < folded_with.memory_bytes());
}
