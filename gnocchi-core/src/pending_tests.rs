use super::*;

fn series(seconds: std::ops::Range<i64>) -> Series {
    let timestamps_ns: Vec<i64> = seconds.map(|second| second * 1_000_000_000).collect();
    let values = vec![1.0; timestamps_ns.len()];
    Series::from_points(timestamps_ns, values).unwrap()
}

fn index() -> PendingIndex {
    PendingIndex::new(SackCount::new(4).unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn add(index: &PendingIndex, sequence: u64, measures: &[(u128, std::ops::Range<i64>)]) {
    let measures = measures.iter().map(|(metric, seconds)| Measures {
        metric: MetricId::from_u128(*metric),
        series: series(seconds.clone()),
    });
    let divided = index.divide(measures.collect());
    index
        .reserve(PendingIndex::bytes_of(&divided), usize::MAX)
        .unwrap();
    index.insert(sequence, at(i64::try_from(sequence).unwrap()), divided);
}

fn finished(index: &PendingIndex) -> Vec<u64> {
    let mut finished = index.take_finished().sequences;
    finished.sort_unstable();
    finished
}

fn assert_empty(index: &PendingIndex) {
    assert_eq!(index.backlog(BacklogDetails::PerMetric), Backlog::default());
    assert_eq!(index.bytes.load(Ordering::Relaxed), 0);
    assert!(index.progress.lock().outstanding.is_empty());
}

#[test]
fn an_append_is_finished_when_its_last_sack_is() {
    let index = index();
    // Metrics 0 and 4 share sack 0.
    add(&index, 1, &[(0, 0..2), (1, 0..2), (4, 0..1)]);
    add(&index, 2, &[(0, 5..6)]);
    assert!(!index.acknowledge(Sack::new(1), 1));
    assert_eq!(
        index.take_finished(),
        Finished {
            sequences: vec![],
            oldest_pending: Some(1)
        }
    );
    let taken = index.claim(Sack::new(0), usize::MAX).unwrap();
    assert_eq!(taken.sequence, 2);
    assert_eq!(taken.measures.len(), 2);
    assert_eq!(taken.measures[0].1.len(), 2);
    assert!(index.acknowledge(Sack::new(0), 2));
    assert!(!index.acknowledge(Sack::new(0), 2));
    assert_eq!(finished(&index), [1, 2]);
    assert_eq!(index.take_finished(), Finished::default());
    assert_empty(&index);
}

#[test]
fn a_claim_ends_after_the_append_that_reaches_the_limit() {
    let index = index();
    for sequence in 1..=3 {
        add(&index, sequence, &[(0, 0..10)]);
    }
    let check = |points_wanted, sequence| {
        let taken = index.claim(Sack::new(0), points_wanted).unwrap();
        assert_eq!(taken.sequence, sequence, "for {points_wanted} points");
    };
    check(0, 1);
    check(10, 1);
    check(11, 2);
    check(1000, 3);
    assert!(index.claim(Sack::new(1), 10).is_none());
    assert!(index.claim(Sack::new(9), 10).is_none());
}

#[test]
fn discarded_measures_leave_no_trace() {
    let index = index();
    add(&index, 1, &[(0, 0..2), (4, 0..3)]);
    add(&index, 2, &[(4, 5..6)]);
    add(&index, 3, &[(0, 5..6)]);
    let discarded = MetricId::from_u128(4);
    assert!(index.holds_any(&[discarded]));
    // Entry 2 lost everything, but stands behind entry 1, which did not.
    assert_eq!(
        index.discard(&[discarded, MetricId::from_u128(99), discarded]),
        Discarded {
            points: 4,
            finished: false
        }
    );
    assert!(!index.holds_any(&[discarded]));
    let taken = index.claim(Sack::new(0), usize::MAX).unwrap();
    assert_eq!(taken.measures.len(), 1);
    assert_eq!(index.backlog(BacklogDetails::Summary).points, 3);
    assert!(index.acknowledge(Sack::new(0), 1));
    assert_eq!(finished(&index), [1, 2]);
    assert_eq!(
        index.discard(&[MetricId::from_u128(0)]),
        Discarded {
            points: 1,
            finished: true
        }
    );
    assert_eq!(finished(&index), [3]);
    assert_empty(&index);
}

#[test]
fn an_append_after_a_discard_is_not_lost() {
    let index = index();
    add(&index, 1, &[(0, 0..2), (4, 0..3)]);
    assert!(!index.discard(&[MetricId::from_u128(0)]).finished);
    add(&index, 2, &[(0, 7..9)]);
    assert!(index.acknowledge(Sack::new(0), 1));
    assert_eq!(index.pending(&[MetricId::from_u128(0)])[0][0].len(), 2);
    assert_eq!(index.backlog(BacklogDetails::Summary).oldest, Some(at(2)));
    assert!(index.acknowledge(Sack::new(0), 2));
    assert_eq!(finished(&index), [1, 2]);
    assert_empty(&index);
}

#[test]
fn the_limit_counts_reserved_and_pending_bytes() {
    let index = index();
    index.reserve(100, 100).unwrap();
    let full = index.reserve(1, 100).unwrap_err();
    assert!(matches!(
        full,
        IncomingError::BacklogFull {
            pending_bytes: 100,
            limit_bytes: 100
        }
    ));
    index.release(1);
    index.reserve(1000, 100).unwrap();
    assert!(index.reserve(0, 100).is_err());
}

#[test]
fn many_appends_are_acknowledged_in_rounds() {
    let index = index();
    let appends = 2 * u64::try_from(ACKNOWLEDGED_AT_ONCE).unwrap() + 3;
    for sequence in 1..=appends {
        add(&index, sequence, &[(0, 0..1)]);
    }
    let taken = index.claim(Sack::new(0), usize::MAX).unwrap();
    assert_eq!(taken.measures[0].1.len(), ACKNOWLEDGED_AT_ONCE * 2 + 3);
    assert!(index.acknowledge(Sack::new(0), appends - 1));
    assert_eq!(index.backlog(BacklogDetails::Summary).batches, 1);
    assert!(index.acknowledge(Sack::new(0), appends));
    assert_eq!(finished(&index), (1..=appends).collect::<Vec<_>>());
    assert_empty(&index);
    // A claim keeps what it took.
    assert_eq!(taken.measures[0].1[0].len(), 1);
}

#[test]
fn a_metric_may_stand_twice_in_an_append() {
    let index = index();
    add(&index, 1, &[(0, 0..2), (0, 5..6)]);
    let taken = index.claim(Sack::new(0), usize::MAX).unwrap();
    assert_eq!(taken.measures.len(), 1);
    assert_eq!(taken.measures[0].1.len(), 2);
    assert!(index.acknowledge(Sack::new(0), 1));
    assert_empty(&index);
}
