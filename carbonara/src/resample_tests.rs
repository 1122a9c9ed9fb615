use super::*;

fn series(points: &[(&str, f64)]) -> Series {
    let (timestamps_ns, values) = points
        .iter()
        .map(|(at, value)| {
            let at: jiff::Timestamp = at.parse().expect("a moment");
            (at.as_second() * 1_000_000_000, *value)
        })
        .unzip();
    Series::from_points(timestamps_ns, values).expect("valid points")
}

fn check(points: &[(&str, f64)], to: ResampleTo<'_>, name: &str, expected: &[(&str, f64)]) {
    let wanted = name.parse().expect("a statistic");
    assert_eq!(resample(&series(points), to, wanted), series(expected));
}

#[test]
fn by_span() {
    let points = [
        ("2015-03-06T14:33:00Z", 1.0),
        ("2015-03-06T14:34:00Z", 4.0),
        ("2015-03-06T15:01:00Z", 6.0),
    ];
    let hour = ResampleTo::Span(Timespan::from_second(3600).expect("positive"));
    check(
        &points,
        hour,
        "mean",
        &[("2015-03-06T14:00:00Z", 2.5), ("2015-03-06T15:00:00Z", 6.0)],
    );
    check(
        &points,
        hour,
        "std",
        &[("2015-03-06T14:00:00Z", 4.5_f64.sqrt())],
    );
    check(&[], hour, "mean", &[]);
}

#[test]
fn by_calendar() {
    let points = [
        ("2014-12-31T23:00:00Z", 1.0),
        ("2015-01-01T00:00:00Z", 2.0),
        ("2015-01-31T22:59:59Z", 4.0),
        ("2015-01-31T23:00:00Z", 8.0),
        ("2015-08-01T00:00:00Z", 16.0),
    ];
    check(
        &points,
        ResampleTo::Calendar(CalendarUnit::Month, &TimeZone::UTC),
        "sum",
        &[
            ("2014-12-01T00:00:00Z", 1.0),
            ("2015-01-01T00:00:00Z", 14.0),
            ("2015-08-01T00:00:00Z", 16.0),
        ],
    );
    let paris = TimeZone::get("Europe/Paris").expect("a zone of the bundled database");
    check(
        &points,
        ResampleTo::Calendar(CalendarUnit::Month, &paris),
        "max",
        &[
            ("2014-12-31T23:00:00Z", 4.0),
            ("2015-01-31T23:00:00Z", 8.0),
            ("2015-07-31T22:00:00Z", 16.0),
        ],
    );
}

#[test]
fn by_span_in_a_time_zone() {
    let points = [
        ("2025-03-29T22:59:00Z", 1.0),
        ("2025-03-29T23:00:00Z", 2.0),
        ("2025-03-30T03:59:59Z", 4.0),
        ("2025-03-30T04:00:00Z", 8.0),
        ("2025-03-30T22:00:00Z", 16.0),
    ];
    let zone = |name: &str| TimeZone::get(name).expect("a zone of the bundled database");
    let check = |second: i64, name: &str, expected: &[(&str, f64)]| {
        let span = Timespan::from_second(second).expect("positive");
        let zone = zone(name);
        let to = Granularity::Span(span)
            .counted_in(&zone)
            .expect("counted by clocks");
        check(&points, to.in_zone(&zone), "sum", expected);
    };
    check(
        86_400,
        "Europe/Brussels",
        &[
            ("2025-03-28T23:00:00Z", 1.0),
            ("2025-03-29T23:00:00Z", 14.0),
            ("2025-03-30T22:00:00Z", 16.0),
        ],
    );
    // From midnight to six o'clock are five hours.
    check(
        21_600,
        "Europe/Brussels",
        &[
            ("2025-03-29T17:00:00Z", 1.0),
            ("2025-03-29T23:00:00Z", 6.0),
            ("2025-03-30T04:00:00Z", 8.0),
            ("2025-03-30T22:00:00Z", 16.0),
        ],
    );
    for name in ["UTC", "Etc/UTC", "Africa/Abidjan"] {
        check(
            86_400,
            name,
            &[
                ("2025-03-29T00:00:00Z", 3.0),
                ("2025-03-30T00:00:00Z", 28.0),
            ],
        );
    }
    let seven_hours = Granularity::Span(Timespan::from_second(25_200).expect("positive"));
    assert_eq!(seven_hours.counted_in(&zone("Etc/UTC")), Ok(seven_hours));
    let error = seven_hours
        .counted_in(&zone("Europe/Brussels"))
        .expect_err("no local span");
    assert_eq!(
        error.to_string(),
        "25200.0 seconds neither divide a day nor are a whole number of days"
    );
}

#[test]
fn rows_are_not_divided() {
    let rows = |second: i64, name: &str, to: Granularity, starts: &[&str]| {
        let zone = TimeZone::get(name).expect("a zone of the bundled database");
        let stored = Granularity::Span(Timespan::from_second(second).expect("positive"));
        let points: Vec<(&str, f64)> = starts.iter().map(|start| (*start, 1.0)).collect();
        let to = to.counted_in(&zone).expect("counted by clocks");
        resample_rows(&series(&points), stored, to.in_zone(&zone), Statistic::Sum)
    };
    let day = Granularity::Calendar(CalendarUnit::Day);
    let span = |second| Granularity::Span(Timespan::from_second(second).expect("positive"));
    // Days of UTC are those of London in winter only.
    assert!(rows(86_400, "Europe/London", day, &["2025-01-01T00:00:00Z"]).is_ok());
    let summer = rows(
        86_400,
        "Europe/London",
        span(86_400),
        &["2025-07-01T00:00:00Z"],
    );
    let error = summer.expect_err("one hour is of the next day");
    assert_eq!(
        error.to_string(),
        "aggregates of 86400.0 seconds cannot be divided at 2025-07-01T23:00:00Z, where a bucket of 86400.0 seconds begins in \
         this time zone: a finer granularity is needed"
    );
    // The hour that holds midnight is short enough to belong to the day in which it begins.
    let night = [
        "2025-07-01T17:00:00Z",
        "2025-07-01T18:00:00Z",
        "2025-07-01T19:00:00Z",
    ];
    let by_day = rows(3600, "Asia/Kolkata", day, &night).expect("short rows");
    assert_eq!(by_day.values(), [2.0, 1.0]);
    assert!(rows(3600, "Asia/Kolkata", span(3600), &night).is_err());
    assert!(rows(1800, "Asia/Kolkata", span(3600), &night).is_ok());
    let month = Granularity::Calendar(CalendarUnit::Month);
    assert!(rows(86_400, "Europe/Paris", month, &["2025-06-30T00:00:00Z"]).is_ok());
    assert!(rows(86_400 * 7, "Europe/Paris", month, &["2025-06-26T00:00:00Z"]).is_err());
    // Finer buckets than rows get those that begin with them.
    assert!(rows(3600, "Europe/Paris", span(900), &night).is_ok());
    // In UTC everything goes, as it always did.
    assert!(rows(86_400, "UTC", span(3600 * 36), &["2025-01-02T00:00:00Z"]).is_ok());
}

#[test]
fn the_last_year_holds_all_that_is_left() {
    let ends = Series::from_points(vec![i64::MAX - 1, i64::MAX], vec![1.0, 2.0]).expect("valid");
    let by_year = ResampleTo::Calendar(CalendarUnit::Year, &TimeZone::UTC);
    assert_eq!(resample(&ends, by_year, Statistic::Count).values(), [2.0]);
}
