//! Whatever can be held in memory comes back from its bytes unchanged, to the bit.

#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "what is made here is known to be right"
)]

mod support;

use carbonara::codec::{Encoding, frame, measures, points};
use carbonara::{AggregationMethod, Component, ComponentSet, Frame, Series, Timespan};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use support::{assert_same_frame, assert_same_series};

/// Values of every class: any bit pattern, decimals, integers, long runs of one value.
fn column(rows: usize) -> BoxedStrategy<Vec<f64>> {
    prop_oneof![
        vec(any::<u64>().prop_map(f64::from_bits), rows),
        vec(
            (-10_000_i32..10_000).prop_map(|cents| f64::from(cents) / 100.0),
            rows
        ),
        vec((0_u32..70_000).prop_map(f64::from), rows),
        vec((0_i64..1 << 54).prop_map(|integer| integer as f64), rows),
        any::<u64>().prop_map(move |bits| vec![f64::from_bits(bits); rows]),
        (0_u32..5_000).prop_map(move |count| vec![f64::from(count); rows]),
    ]
    .boxed()
}

fn timestamps_ns() -> BoxedStrategy<Vec<i64>> {
    let unit = prop_oneof![
        Just(1_i64),
        Just(1_000),
        Just(1_000_000),
        Just(1_000_000_000)
    ];
    prop_oneof![
        btree_set(0..=i64::MAX, 0..300).prop_map(|set| set.into_iter().collect()),
        (0..1_i64 << 60, 1..1_i64 << 50, 0_i64..1_000)
            .prop_map(|(first, step, count)| (0..count).map(|n| first + n * step).collect()),
        (0..1_i64 << 60, unit, vec(1_i64..100_000, 0..700)).prop_map(|(first, unit, gaps)| {
            let ends = gaps.iter().scan(first, |last, gap| {
                *last += gap * unit;
                Some(*last)
            });
            ends.collect()
        }),
    ]
    .boxed()
}

fn series() -> impl Strategy<Value = Series> {
    timestamps_ns()
        .prop_flat_map(|timestamps_ns| (column(timestamps_ns.len()), Just(timestamps_ns)))
        .prop_map(|(values, timestamps_ns)| Series::from_points(timestamps_ns, values).unwrap())
}

fn component() -> impl Strategy<Value = Component> {
    prop_oneof![1_u16..=8, 101_u16..=199]
        .prop_flat_map(|code| prop_oneof![Just(code), Just(code | 0x8000)])
        .prop_map(|code| Component::from_code(code).unwrap())
}

fn frames() -> impl Strategy<Value = Frame> {
    let buckets = prop_oneof![
        btree_set(0_i64..8_000, 0..200).prop_map(|set| set.into_iter().collect::<Vec<_>>()),
        (0_i64..8_000, 1_i64..60, 0_i64..500)
            .prop_map(|(first, step, rows)| (0..rows).map(|row| first + row * step).collect()),
    ];
    (
        buckets,
        vec(component(), 0..8),
        1..1_i64 << 40,
        0..1_i64 << 20,
    )
        .prop_flat_map(|(mut buckets, components, granularity_ns, shift)| {
            let components: ComponentSet = components.into_iter().collect();
            let limit = i64::MAX / granularity_ns;
            for bucket in &mut buckets {
                *bucket += shift;
            }
            buckets.retain(|bucket| *bucket <= limit);
            let granularity = Timespan::from_nanosecond(granularity_ns).unwrap();
            let columns: Vec<_> = components.iter().map(|_| column(buckets.len())).collect();
            (columns, any::<u8>()).prop_map(move |(mut columns, same)| {
                for index in (1..columns.len()).filter(|index| same >> index & 1 == 1) {
                    let before = columns[index - 1].clone();
                    columns[index] = before;
                }
                Frame::new(granularity, components.clone(), buckets.clone(), columns).unwrap()
            })
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn series_come_back(series in series()) {
        for encoding in [Encoding::Fresh, Encoding::Sealed] {
            let bytes = points::encode(&series, encoding);
            assert_same_series(&points::decode_all(&bytes).unwrap(), &series);
            prop_assert_eq!(bytes.is_empty(), series.is_empty());
        }
    }

    #[test]
    fn sealing_is_never_longer(series in series(), frame in frames()) {
        let points_bytes = |encoding| points::encode(&series, encoding).len();
        prop_assert!(points_bytes(Encoding::Sealed) <= points_bytes(Encoding::Fresh));
        let frame_bytes = |encoding| frame::encode(&frame, encoding).len();
        prop_assert!(frame_bytes(Encoding::Sealed) <= frame_bytes(Encoding::Fresh));
    }

    #[test]
    fn frames_come_back_block_by_block(frame in frames()) {
        for encoding in [Encoding::Fresh, Encoding::Sealed] {
            let decoded = frame::decode_all(&frame::encode(&frame, encoding)).unwrap();
            let blocks = frame.split_blocks();
            prop_assert_eq!(decoded.len(), blocks.len());
            for (decoded, (_, block)) in decoded.iter().zip(&blocks) {
                assert_same_frame(decoded, block);
            }
        }
    }

    #[test]
    fn columns_that_are_left_out_change_no_other(frame in frames(), wanted in vec(component(), 0..4), own in any::<u8>()) {
        let own = frame.components().iter().enumerate().filter(|(index, _)| own >> index & 1 == 1);
        let wanted: ComponentSet = own.map(|(_, component)| component).chain(wanted).collect();
        for encoding in [Encoding::Fresh, Encoding::Sealed] {
            let bytes = frame::encode(&frame, encoding);
            let all = frame::decode_all(&bytes).unwrap();
            let some = frame::decode_all_of(&bytes, &wanted).unwrap();
            prop_assert_eq!(all.len(), some.len());
            for (all, some) in all.iter().zip(&some) {
                assert_same_frame(some, &all.select(&wanted));
            }
        }
    }

    #[test]
    fn batches_come_back(batch in vec((any::<u128>(), series()), 0..6)) {
        let borrowed: Vec<_> = batch.iter().map(|(metric, series)| (*metric, series)).collect();
        let decoded = measures::decode(&measures::encode(&borrowed)).unwrap();
        prop_assert_eq!(decoded.len(), batch.len());
        for ((metric, series), (decoded_metric, decoded_series)) in batch.iter().zip(&decoded) {
            prop_assert_eq!(metric, decoded_metric);
            assert_same_series(series, decoded_series);
        }
    }

    #[test]
    fn appended_payloads_are_one_series(first in series(), second in series()) {
        let mut bytes = points::encode(&first, Encoding::Sealed);
        bytes.extend(points::encode(&second, Encoding::Fresh));
        assert_same_series(&points::decode_all(&bytes).unwrap(), &first.merge(&second));
    }
}

#[test]
fn long_series_become_several_payloads() {
    let count = points::POINTS_PER_PAYLOAD_MAX + 1;
    let timestamps_ns = (1..).take(count).collect();
    let series = Series::from_points(timestamps_ns, vec![0.5; count]).unwrap();
    for encoding in [Encoding::Fresh, Encoding::Sealed] {
        let bytes = points::encode(&series, encoding);
        let (first, consumed) = points::decode(&bytes).unwrap();
        assert_eq!(first.len(), points::POINTS_PER_PAYLOAD_MAX);
        let (second, rest) = points::decode(&bytes[consumed..]).unwrap();
        assert_eq!((second.len(), consumed + rest), (1, bytes.len()));
        assert_same_series(&points::decode_all(&bytes).unwrap(), &series);
    }
}

#[test]
fn small_payloads_have_the_documented_length() {
    let methods: Vec<AggregationMethod> = ["mean", "min", "max", "sum", "std", "count"]
        .iter()
        .map(|name| name.parse().unwrap())
        .collect();
    let components = ComponentSet::for_methods(&methods);
    let columns = (0_u32..)
        .take(components.len())
        .map(|column| vec![60.0 + f64::from(column)])
        .collect();
    let minute = Timespan::from_second(60).unwrap();
    let row = Frame::new(minute, components.clone(), vec![28_333_333], columns).unwrap();
    assert_eq!(frame::encode(&row, Encoding::Fresh).len(), 63);
    let columns = [1.0, 0.5, 0.5, 0.5, 0.0].map(|value| vec![value]).to_vec();
    let point = Frame::new(minute, components, vec![28_333_333], columns).unwrap();
    assert_eq!(frame::encode(&point, Encoding::Fresh).len(), 47);

    let point = Series::from_points(vec![1_700_000_000_000_000_000], vec![0.1]).unwrap();
    let one = measures::encode(&[(1, &point)]).len();
    assert_eq!(
        measures::encode(&[(1, &point), (2, &point)]).len() - one,
        34
    );

    let timestamps_ns = (0..65_536).map(|second| second * 1_000_000_000).collect();
    let equal = Series::from_points(timestamps_ns, vec![0.1; 65_536]).unwrap();
    assert!(points::encode(&equal, Encoding::Sealed).len() <= 34);
}
