use super::*;

fn span(seconds: i64) -> Timespan {
    Timespan::from_second(seconds).unwrap()
}

fn define(
    granularity: Option<i64>,
    points: Option<u64>,
    timespan: Option<i64>,
) -> Result<Definition, ArchivePolicyError> {
    Definition::new(granularity.map(span), points, timespan.map(span))
}

#[test]
fn two_of_three_parts_give_the_third() {
    let check = |granularity, points, timespan, expected: (i64, Option<u64>, Option<i64>)| {
        let made = define(granularity, points, timespan).unwrap();
        assert_eq!(
            (made.granularity(), made.points(), made.timespan()),
            (span(expected.0), expected.1, expected.2.map(span))
        );
    };
    check(Some(60), Some(10), None, (60, Some(10), Some(600)));
    check(Some(60), None, Some(630), (60, Some(10), Some(600)));
    check(None, Some(10), Some(600), (60, Some(10), Some(600)));
    check(Some(60), Some(10), Some(600), (60, Some(10), Some(600)));
    check(Some(60), None, None, (60, None, None));
}

#[test]
fn a_granularity_that_is_no_whole_number_of_nanoseconds_still_makes_a_policy() {
    let definition = define(None, Some(7), Some(1000)).unwrap();
    assert_eq!(definition.granularity().as_nanosecond(), 142_857_142_857);
    assert_eq!(definition.points(), Some(7));
    assert!(ArchivePolicy::new("odd", 0, vec![definition], default_aggregation_methods()).is_ok());
}

#[test]
fn what_does_not_fit_is_refused() {
    let check = |granularity, points, timespan, expected: &str| {
        let error = define(granularity, points, timespan).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(
        Some(60),
        Some(10),
        Some(601),
        "timespan ≠ granularity × points: 601 s ≠ 60 s × 10",
    );
    let too_little = "At least two of granularity/points/timespan must be provided";
    check(None, None, Some(600), too_little);
    check(None, Some(3), None, too_little);
    check(
        Some(60),
        None,
        Some(30),
        "Calculated number of points is < 0: a granularity of 60 s is longer than a timespan of 30 s",
    );
    check(
        Some(9_000_000_000),
        Some(100),
        None,
        "granularity × points is out of range: 9000000000 s × 100 is longer than 292 years",
    );
    check(
        None,
        Some(2_000_000_000),
        Some(1),
        "timespan / points is out of range: 1 s / 2000000000 is shorter than a nanosecond",
    );
    check(
        None,
        Some(u64::MAX),
        Some(1),
        "the number of points is 18446744073709551615, and must be between 1 and 9223372036854775807",
    );
}

#[test]
fn granularities_are_counted() {
    let levels = |count: i64| -> Vec<Definition> {
        let granularities = 1..=count;
        granularities
            .map(|seconds| define(Some(seconds), None, None).unwrap())
            .collect()
    };
    let policy = |count| ArchivePolicy::new("p", 0, levels(count), default_aggregation_methods());
    assert!(policy(64).is_ok());
    assert_eq!(
        policy(65).unwrap_err().to_string(),
        "an archive policy has at most 64 granularities, and 65 are given"
    );
}

fn resolve(entries: &[&str]) -> Vec<String> {
    let entries: Vec<MethodSelection> = entries
        .iter()
        .map(|text| MethodSelection::parse(text).unwrap())
        .collect();
    let defaults = ["mean", "max"].map(|text| text.parse().unwrap());
    MethodSelection::resolve(&entries, &defaults)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn selections_of_methods_are_expanded_and_applied() {
    assert_eq!(resolve(&[]), ["mean", "max"]);
    assert_eq!(resolve(&["+last"]), ["mean", "max", "last"]);
    assert_eq!(resolve(&["-mean"]), ["max"]);
    assert_eq!(resolve(&["mean", "-max"]), ["mean"]);
    assert_eq!(resolve(&["mean", "max", "-mean"]), ["max"]);
    assert_eq!(resolve(&["mean", "+max", "mean"]), ["mean", "max"]);
    assert_eq!(resolve(&["*"]).len(), 216);
    assert_eq!(resolve(&["*", "-rate:mean"]).len(), 215);
    assert_eq!(MethodSelection::parse("nonsense"), None);
    assert_eq!(MethodSelection::parse("+"), None);
    assert_eq!(MethodSelection::parse(""), None);
}

#[test]
fn changes_keep_the_granularities() {
    let levels = |granularities: &[i64]| {
        granularities
            .iter()
            .map(|g| define(Some(*g), Some(10), None).unwrap())
            .collect::<Vec<_>>()
    };
    let policy =
        ArchivePolicy::new("p", 1, levels(&[1, 60]), default_aggregation_methods()).unwrap();
    let longer = vec![
        define(Some(60), Some(99), None).unwrap(),
        define(Some(1), Some(10), None).unwrap(),
    ];
    let changed = policy.changed(longer.clone(), Some(3)).unwrap();
    assert_eq!(
        (changed.definition(), changed.back_window()),
        (longer.as_slice(), 3)
    );
    let error = policy.changed(levels(&[1]), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Cannot add or drop granularities: it has 1 s, 60 s, and 1 are given"
    );
    let error = policy.changed(levels(&[2, 60]), None).unwrap_err();
    assert_eq!(error.to_string(), "1.0 granularity interval was changed");
}

#[test]
fn a_repeated_granularity_is_named() {
    let twice = vec![
        define(Some(1), None, None).unwrap(),
        define(Some(1), Some(3), None).unwrap(),
    ];
    let error = ArchivePolicy::new("p", 0, twice, default_aggregation_methods()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "More than one archive policy uses granularity `1.0'"
    );
}

#[test]
fn the_default_policies_exist() {
    let defaults = ArchivePolicy::defaults(&default_aggregation_methods());
    let names: Vec<&str> = defaults.iter().map(ArchivePolicy::name).collect();
    assert_eq!(names, ["bool", "low", "medium", "high"]);
    let high: Vec<Timespan> = defaults[3]
        .definition()
        .iter()
        .map(Definition::granularity)
        .collect();
    assert_eq!(high, [span(1), span(60), span(3600)]);
}
