//! Buckets of time zones against a plain version that looks at the clocks minute by minute.

use std::ops::Range;

use carbonara::calendar::LocalSpan;
use carbonara::{CalendarUnit, Granularity, Series, Statistic, Timespan, Timestamp, resample};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

const MINUTE: i64 = 60;
const DAY: i64 = 1440 * MINUTE;

/// Zones whose clocks are changed in all sorts of ways.
const ZONES: [&str; 14] = [
    "Europe/Brussels",
    // Back over midnight, by one hour at one minute past.
    "America/St_Johns",
    // By half an hour.
    "Australia/Lord_Howe",
    // Midnight comes twice.
    "America/Havana",
    // Midnight is skipped.
    "America/Sao_Paulo",
    "Asia/Beirut",
    // A whole day is skipped.
    "Pacific/Apia",
    "Pacific/Kwajalein",
    // By three hours, over midnight.
    "Antarctica/Casey",
    // By a quarter of an hour, once.
    "Asia/Kathmandu",
    // By two hours.
    "Antarctica/Troll",
    "Africa/Casablanca",
    "America/New_York",
    "UTC",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone of the bundled database")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("not before the epoch")
}

fn shown(zone: &TimeZone, second: i64) -> DateTime {
    zone.to_datetime(jiff::Timestamp::from_second(second).expect("within ten thousand years"))
}

/// Minutes that clocks have shown since 1 January 1970.
fn minutes(shown: DateTime) -> i64 {
    let since = shown.duration_since(date(1970, 1, 1).at(0, 0, 0, 0));
    since.as_secs().div_euclid(MINUTE)
}

fn days(day: Date) -> i64 {
    minutes(day.at(0, 0, 0, 0)).div_euclid(1440)
}

fn first_day(unit: CalendarUnit, day: Date) -> Date {
    let month = |month: i8| date(day.year(), month, 1);
    match unit {
        CalendarUnit::Year => month(1),
        CalendarUnit::Half => month(if day.month() < 7 { 1 } else { 7 }),
        CalendarUnit::Quarter => month(
            [1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10, 10]
                [usize::try_from(day.month() - 1).expect("a month")],
        ),
        CalendarUnit::Month => month(day.month()),
        CalendarUnit::Week => (0..7)
            .map(|back| day.saturating_sub(back.days()))
            .find(|day| day.weekday() == jiff::civil::Weekday::Sunday)
            .expect("every week has a Sunday"),
        CalendarUnit::Day => day,
    }
}

/// Returns the bucket that holds a second, for buckets no longer than `longest` seconds.
fn plain(to: Granularity, zone: &TimeZone, second: i64, longest: i64) -> Range<i64> {
    let longest = longest + 2 * DAY;
    let part = match to {
        Granularity::Local(span) if span.span().as_nanosecond() < DAY * 1_000_000_000 => {
            Some(span.span().as_nanosecond() / 1_000_000_000 / MINUTE)
        }
        _ => None,
    };
    let label = |second: i64| {
        let shown = shown(zone, second);
        match (to, part) {
            (_, Some(span)) => minutes(shown).div_euclid(span),
            (Granularity::Local(span), None) => {
                days(shown.date()).div_euclid(span.span().as_nanosecond() / 1_000_000_000 / DAY)
            }
            (Granularity::Calendar(unit), None) => days(first_day(unit, shown.date())),
            (Granularity::Span(_), None) => panic!("counted in UTC"),
        }
    };
    let minute = second.div_euclid(MINUTE);
    let first = (second - longest).div_euclid(MINUTE);
    let (mut start, mut before) = (first * MINUTE, label(first * MINUTE));
    for minute_now in first + 1.. {
        let now = minute_now * MINUTE;
        let label = label(now);
        let begins = match part {
            Some(span) => label != before || minutes(shown(zone, now)) % span == 0,
            // What began does not begin again when clocks are set back.
            None => label > before,
        };
        if !begins {
            continue;
        }
        if minute_now > minute {
            return start..now;
        }
        (start, before) = (now, label);
    }
    unreachable!("there is always another minute")
}

/// A second near a change of the clocks of a zone, if it has any.
fn near_a_change(zone: &TimeZone, second: i64, away: i64) -> i64 {
    let from = jiff::Timestamp::from_second(second).expect("valid");
    let change = zone.following(from).next();
    let base = change.map_or(second, |change| change.timestamp().as_second());
    (base + away).max(400 * DAY)
}

fn clip(second: i64) -> Timestamp {
    at(second.max(0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn spans_in_a_zone_equal_the_plain_version(
        name in select(ZONES.to_vec()),
        second in 0..1_900_000_000_i64,
        away in -2 * DAY..2 * DAY,
        minutes in select(vec![1, 2, 5, 15, 30, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 2 * 1440, 3 * 1440, 7 * 1440]),
    ) {
        let zone = zone(name);
        let second = near_a_change(&zone, second, away);
        let span = Timespan::from_second(minutes * MINUTE).expect("positive");
        let to = Granularity::Local(LocalSpan::new(span).expect("a part or a multiple of a day"));
        let expected = plain(to, &zone, second, minutes * MINUTE);
        prop_assert_eq!(to.in_zone(&zone).bucket(at(second)), clip(expected.start)..clip(expected.end));
    }

    #[test]
    fn units_in_a_zone_equal_the_plain_version(
        name in select(ZONES.to_vec()),
        second in 0..1_900_000_000_i64,
        away in -2 * DAY..2 * DAY,
        (unit, days) in select(vec![
            (CalendarUnit::Day, 1),
            (CalendarUnit::Week, 7),
            (CalendarUnit::Month, 31),
        ]),
    ) {
        let zone = zone(name);
        let second = near_a_change(&zone, second, away);
        let to = Granularity::Calendar(unit);
        let expected = plain(to, &zone, second, days * DAY);
        prop_assert_eq!(to.in_zone(&zone).bucket(at(second)), clip(expected.start)..clip(expected.end));
    }

    /// Each timestamp lies in one bucket, and buckets follow each other without a gap.
    #[test]
    fn buckets_tile_time(
        name in select(ZONES.to_vec()),
        second in 0..9_223_372_036_i64,
        nanosecond in 0..1_000_000_000_i64,
        to in prop_oneof![
            select(vec![1, 7 * 60, 900, 3600, 6 * 3600, DAY, 5 * DAY, 400 * DAY]).prop_filter_map(
                "counted by clocks",
                |second| {
                    let span = Timespan::from_second(second).expect("positive");
                    LocalSpan::new(span).ok().map(Granularity::Local)
                },
            ),
            select(CalendarUnit::ALL.to_vec()).prop_map(Granularity::Calendar),
        ],
    ) {
        let zone = zone(name);
        let to = to.in_zone(&zone);
        let at = Timestamp::from_nanosecond(second * 1_000_000_000 + nanosecond).expect("valid");
        let bucket = to.bucket(at);
        prop_assert!(bucket.contains(&at));
        prop_assert_eq!(to.bucket(bucket.start), bucket.clone());
        if bucket.end < Timestamp::MAX {
            prop_assert_eq!(to.bucket(bucket.end).start, bucket.end);
            let last = Timestamp::from_nanosecond(bucket.end.as_nanosecond() - 1).expect("valid");
            prop_assert_eq!(to.bucket(last), bucket);
        }
    }

    /// What is resampled are the points of each bucket, each once.
    #[test]
    fn resampling_follows_the_buckets(
        name in select(ZONES.to_vec()),
        second in 400 * DAY..1_900_000_000_i64,
        steps in prop::collection::vec(1..40_000_i64, 1..200),
        minutes in select(vec![30, 60, 360, 1440, 7 * 1440]),
    ) {
        let zone = zone(name);
        let span = Timespan::from_second(minutes * MINUTE).expect("positive");
        let to = Granularity::Span(span).counted_in(&zone).expect("counted by clocks").in_zone(&zone);
        let mut second = near_a_change(&zone, second, -DAY);
        let mut timestamps_ns = Vec::new();
        for step in steps {
            second += step;
            timestamps_ns.push(second * 1_000_000_000);
        }
        let series = Series::from_points(timestamps_ns.clone(), vec![1.0; timestamps_ns.len()]).expect("valid");
        let mut expected: Vec<(i64, f64)> = Vec::new();
        for at_ns in timestamps_ns {
            let start = to.bucket(Timestamp::from_nanosecond(at_ns).expect("valid")).start.as_nanosecond();
            match expected.last_mut() {
                Some((last, count)) if *last == start => *count += 1.0,
                _ => expected.push((start, 1.0)),
            }
        }
        let counted = resample(&series, to, Statistic::Count);
        let found: Vec<(i64, f64)> = counted.timestamps_ns().iter().copied().zip(counted.values().iter().copied()).collect();
        prop_assert_eq!(found, expected);
    }
}
