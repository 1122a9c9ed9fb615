//! Folding: whatever the order of arrival and the cut into calls, the result is that of one batch.

mod oracle;

use std::collections::BTreeMap;

use carbonara::{
    AggregationMethod, AggregationPlan, Folded, Frame, Level, PointsRequired, Retention, Series,
    Timespan, Timestamp, Window,
};
use oracle::Points;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const SECOND: i64 = 1_000_000_000;

/// What happens to the window between two calls.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    ForgetPoints,
    Restore,
}

/// A batch, and whether it goes into the same call as the one before.
type Arrival = (Vec<(i64, f64)>, bool, Between);

/// A store that keeps what folds tell it to keep, and nothing else.
#[derive(Default)]
struct Store {
    raw: Series,
    frames: BTreeMap<i64, Vec<Frame>>,
    kept: Vec<Retention>,
}

impl Store {
    fn commit(&mut self, folded: &Folded) {
        self.raw.append_in_place(&folded.added);
        self.raw.truncate_before(folded.keep_raw_from);
        for frame in &folded.frames {
            let granularity_ns = frame.granularity().as_nanosecond();
            self.frames
                .entry(granularity_ns)
                .or_default()
                .push(frame.clone());
        }
        self.kept.clone_from(&folded.kept);
    }

    /// Merges the frames of each granularity, without what has expired.
    fn merged(&self) -> Vec<Frame> {
        let merged = self.frames.values().map(|frames| {
            let frames: Vec<&Frame> = frames.iter().collect();
            let merged = Frame::merge(&frames).expect("they match");
            let kept = self
                .kept
                .iter()
                .find(|kept| kept.granularity == merged.granularity());
            merged.range(kept.map_or(0, |kept| kept.first_bucket)..i64::MAX)
        });
        merged.filter(|frame| !frame.is_empty()).collect()
    }
}

/// Decides lateness as the contract words it, point by point.
struct Gate {
    coarsest_ns: i64,
    back_window: i64,
    newest_ns: Option<i64>,
    accepted: Points,
}

impl Gate {
    fn receive(&mut self, batch: &Series) -> usize {
        let limit_ns = self.newest_ns.map_or(0, |newest_ns| {
            newest_ns / self.coarsest_ns * self.coarsest_ns - self.back_window * self.coarsest_ns
        });
        let mut accepted = 0;
        for point in batch.iter() {
            let at_ns = point.timestamp.as_nanosecond();
            if at_ns >= limit_ns {
                self.accepted.insert(at_ns, point.value);
                self.newest_ns = self.newest_ns.max(Some(at_ns));
                accepted += 1;
            }
        }
        accepted
    }
}

fn plan() -> impl Strategy<Value = AggregationPlan> {
    let levels = select(vec![
        vec![(60, None)],
        vec![(1, Some(90)), (60, Some(600)), (300, None)],
        vec![(7, None), (60, None)],
        vec![(7, None), (11, Some(100)), (60, Some(125))],
        vec![(10, Some(10)), (100, Some(100))],
        vec![(60, None), (3600, None)],
    ]);
    let methods = select(vec![
        vec!["mean", "min", "max", "sum", "std", "count"],
        vec!["first", "last"],
        vec!["last", "rate:mean"],
        vec!["rate:std", "rate:max", "rate:first", "rate:last", "count"],
        vec!["median", "95pct", "mean"],
        vec!["rate:median", "rate:count", "max"],
    ]);
    (levels, methods, 0..4_u32).prop_map(|(levels, methods, back_window)| {
        let span = |second| Timespan::from_second(second).expect("positive");
        let levels = levels
            .into_iter()
            .map(|(granularity, timespan)| Level {
                granularity: span(granularity),
                timespan: timespan.map(span),
            })
            .collect();
        let methods: Vec<AggregationMethod> = methods
            .iter()
            .map(|name| name.parse().expect("a method"))
            .collect();
        AggregationPlan::new(levels, &methods, back_window).expect("a plan")
    })
}

/// Batches that mostly go forward, sometimes far, and often reach back; in units of a quarter of a second.
fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let forward = prop_oneof![6 => 0..8_i64, 3 => 0..400_i64, 1 => 0..40_000_i64];
    let back = prop_oneof![4 => Just(0_i64), 3 => 0..30_i64, 2 => 0..2000_i64];
    let value = prop_oneof![
        6 => -100.0..100.0,
        2 => (-3..3_i32).prop_map(f64::from),
        1 => select(vec![0.0, -0.0, f64::NAN, f64::INFINITY]),
    ];
    let between = prop_oneof![
        3 => Just(Between::Nothing),
        1 => Just(Between::ForgetPoints),
        1 => Just(Between::Restore),
    ];
    let batch = vec((forward, back, value), 0..12);
    vec((batch, any::<bool>(), between), 1..25).prop_map(|batches| {
        let mut head = 10_000_i64;
        batches
            .into_iter()
            .map(|(batch, together, between)| {
                let points = batch
                    .into_iter()
                    .map(|(forward, back, value)| {
                        head += forward;
                        ((head - back).max(0) * (SECOND / 4), value)
                    })
                    .collect();
                (points, together, between)
            })
            .collect()
    })
}

fn series(points: &[(i64, f64)]) -> Series {
    let (timestamps_ns, values) = points.iter().copied().unzip();
    Series::from_points(timestamps_ns, values).expect("not before the epoch")
}

/// Folds all batches in the calls that the arrivals ask for.
fn fold_in_calls(plan: &AggregationPlan, arrivals: &[Arrival]) -> (Store, Points) {
    let mut store = Store::default();
    let mut window = Window::empty(plan);
    let mut gate = Gate {
        coarsest_ns: plan.coarsest().as_nanosecond(),
        back_window: i64::from(plan.effective_back_window()),
        newest_ns: None,
        accepted: Points::new(),
    };
    for call in arrivals.chunk_by(|_, (_, together, _)| *together) {
        match call[0].2 {
            Between::Nothing => {}
            Between::ForgetPoints => window.forget_points(),
            Between::Restore => window = Window::restore(plan, store.raw.clone(), Timestamp::EPOCH),
        }
        let batches: Vec<Series> = call.iter().map(|(points, _, _)| series(points)).collect();
        let batches: Vec<&Series> = batches.iter().collect();
        let folded = window
            .fold(plan, &batches)
            .unwrap_or_else(|PointsRequired| {
                assert!(!window.has_points());
                window = Window::restore(plan, store.raw.clone(), Timestamp::EPOCH);
                window.fold(plan, &batches).expect("points are held")
            });
        let sent: usize = batches.iter().map(|batch| batch.len()).sum();
        let accepted: usize = batches.iter().map(|batch| gate.receive(batch)).sum();
        assert_eq!(folded.accepted, accepted);
        assert_eq!(folded.accepted + folded.rejected.len(), sent);
        store.commit(&folded);
        let newest_ns = window.last().map(|last| last.timestamp.as_nanosecond());
        assert_eq!(newest_ns, gate.newest_ns);
    }
    (store, gate.accepted)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_arrival_equals_one_batch(plan in plan(), arrivals in arrivals()) {
        let (store, accepted) = fold_in_calls(&plan, &arrivals);
        let (timestamps_ns, values) = accepted.iter().unzip();
        let all = Series::from_points(timestamps_ns, values).expect("valid points");
        let mut at_once = Store::default();
        let folded = Window::empty(&plan).fold(&plan, &[&all]).expect("points are held");
        at_once.commit(&folded);
        let bits = |store: &Store| store.merged().iter().map(oracle::bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(&store), bits(&at_once));
        prop_assert_eq!(store.raw.timestamps_ns(), at_once.raw.timestamps_ns());
    }

    #[test]
    fn what_is_stored_equals_the_plain_version(plan in plan(), arrivals in arrivals()) {
        let (store, accepted) = fold_in_calls(&plan, &arrivals);
        for frame in store.merged() {
            for method in AggregationMethod::all() {
                let Some(found) = frame.series(method) else { continue };
                let kept = store.kept.iter().find(|kept| kept.granularity == frame.granularity());
                let first_ns = kept.map_or(0, |kept| kept.first_bucket * frame.granularity().as_nanosecond());
                let mut expected = oracle::aggregate(&accepted, frame.granularity(), method);
                expected.retain(|(start_ns, _)| *start_ns >= first_ns);
                oracle::assert_same(&found, &expected, method);
            }
        }
    }
}

#[test]
fn an_order_statistic_over_a_long_first_batch_is_folded_at_once() {
    let levels = [60, 3600].map(|second| Level {
        granularity: Timespan::from_second(second).expect("positive"),
        timespan: None,
    });
    let methods = ["median".parse().expect("a method")];
    let plan = AggregationPlan::new(levels.to_vec(), &methods, 0).expect("a plan");
    let points: Vec<(i64, f64)> = (0..100_000_i32)
        .map(|index| (i64::from(index) * SECOND, f64::from(index * 7919 % 1000)))
        .collect();
    let mut window = Window::empty(&plan);
    let folded = window.fold(&plan, &[&series(&points)]).expect("held");
    let accepted: Points = points.into_iter().collect();
    for frame in &folded.frames {
        let expected = oracle::aggregate(&accepted, frame.granularity(), methods[0]);
        let found = frame.series(methods[0]).expect("the method was asked for");
        oracle::assert_same(&found, &expected, methods[0]);
    }
    // Only the open hour is left.
    assert_eq!(
        window.first_block(),
        Timestamp::from_second(100_000 / 3600 * 3600).ok()
    );
    assert_eq!(window.points().map(Series::len), Some(100_000 % 3600));
    assert!(window.memory_bytes() < 200_000);
}
