use proptest::prelude::*;
use std::fmt;

use super::*;

const METRIC: &str = "f93450f2-d8a5-4d67-9985-02511241e7d1";

fn context() -> Context {
    Context {
        now: Timestamp::from_second(1_425_652_437).unwrap(),
        points_max: 1000,
        metrics_max: 100,
    }
}

fn invalid(outcome: Result<impl fmt::Debug, BodyError>) -> (String, Vec<String>) {
    match outcome {
        Err(BodyError::Invalid(invalid)) => (invalid.to_string(), invalid.detail()),
        other => panic!("{other:?}"),
    }
}

fn points(body: &str, expected: &[(i64, f64)]) {
    let series =
        list(body.as_bytes(), context()).unwrap_or_else(|error| panic!("{body}: {error:?}"));
    let found: Vec<(i64, f64)> = series
        .iter()
        .map(|point| (point.timestamp.as_nanosecond(), point.value))
        .collect();
    assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{body}");
}

fn refused(body: &str, reason: &str) {
    assert_eq!(
        invalid(list(body.as_bytes(), context())),
        (reason.to_owned(), Vec::new()),
        "{body}"
    );
}

fn malformed(body: &str) -> String {
    match list(body.as_bytes(), context()) {
        Err(BodyError::Malformed(reason)) => reason,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn lists_of_measures() {
    points("[]", &[]);
    points(" { } ", &[]);
    points(
        r#"[{"timestamp":"2015-03-06T14:33:57","value":43.1}]"#,
        &[(1_425_652_437_000_000_000, 43.1)],
    );
    points(
        r#"[{"value": 12, "timestamp": 5.5}, {"timestamp": 1, "value": -1e2}]"#,
        &[(1_000_000_000, -100.0), (5_500_000_000, 12.0)],
    );
    points(
        r#"[{"timestamp": "5.5", "value": "2.5"}, {"timestamp": 6, "value": true}]"#,
        &[(5_500_000_000, 2.5), (6_000_000_000, 1.0)],
    );
    points(
        r#"[{"timestamp": 1, "value": 1}, {"timestamp": 1, "value": 2}]"#,
        &[(1_000_000_000, 2.0)],
    );
    points(
        r#"[{"timestamp": "-5 minutes", "value": 1, "extra": [{}]}]"#,
        &[(1_425_652_137_000_000_000, 1.0)],
    );
    points(
        r#"[{"timestamp": 1, "value": 1, "value": 2, "timestamp": 3}]"#,
        &[(3_000_000_000, 2.0)],
    );
    points(
        r#"[{"timestamp": 1, "value": "\u006ean"}]"#,
        &[(1_000_000_000, f64::NAN)],
    );
    points(
        r#"[{"timestamp": 1, "value": NaN}, {"timestamp": 2, "value": -Infinity}, {"timestamp": 3, "value": Infinity}]"#,
        &[
            (1_000_000_000, f64::NAN),
            (2_000_000_000, f64::NEG_INFINITY),
            (3_000_000_000, f64::INFINITY),
        ],
    );
}

#[test]
fn lists_of_other_things() {
    for body in [
        "1",
        "null",
        "true",
        r#""x""#,
        r#"{"a": 1}"#,
        "[1]",
        r#"[["2015-03-06T14:33:57", 43.1]]"#,
        r#"[{"value": 1}]"#,
        r#"[{"timestamp": null, "value": 1}]"#,
        r#"[{"timestamp": [], "value": 1}]"#,
        r#"[{"timestamp": "x", "value": 1}, {}]"#,
    ] {
        refused(body, "unexpected measures format");
    }
    for body in [
        r#"[{"timestamp": 1, "value": "foobar"}]"#,
        r#"[{"timestamp": 1, "value": null}]"#,
        r#"[{"timestamp": 1}]"#,
        r#"[{"timestamp": 1, "value": {}}]"#,
        r#"[{"timestamp": 1, "value": "1e999"}]"#,
    ] {
        refused(body, "unexpected measures value");
    }
    for body in [
        r#"[{"timestamp": "1915-03-06T14:33:57", "value": 1}]"#,
        r#"[{"timestamp": "0001-01-01", "value": 1}]"#,
        r#"[{"timestamp": -1, "value": "foobar"}]"#,
    ] {
        refused(body, "unexpected timestamp 'Timestamp must be after Epoch'");
    }
    for body in [
        r#"[{"timestamp": "1915-100-06T14:33:57", "value": 1}]"#,
        r#"[{"timestamp": "300000-01-01", "value": 1}]"#,
        r#"[{"timestamp": 1e300, "value": 1}]"#,
        r#"[{"timestamp": NaN, "value": 1}]"#,
        r#"[{"timestamp": "", "value": 1}]"#,
        r#"[{"timestamp": 1, "value": "foobar"}, {"timestamp": "x", "value": 1}]"#,
    ] {
        refused(body, "unexpected timestamp 'Unable to convert timestamps'");
    }
}

#[test]
fn timestamps_of_one_list_are_written_one_way() {
    for body in [
        r#"[{"timestamp": 1478012832, "value": 43.1}, {"timestamp": "-5 minutes", "value": 43.1}]"#,
        r#"[{"timestamp": 1478012832, "value": 43.1}, {"timestamp": "2015-03-06", "value": 43.1}]"#,
        r#"[{"timestamp": "2015-03-06T14:33:57", "value": 43.1}, {"timestamp": 1478012832, "value": 43.1}]"#,
        r#"[{"timestamp": "2015-03-06", "value": 43.1}, {"timestamp": "-5 minutes", "value": 43.1}]"#,
    ] {
        refused(body, "unexpected timestamp 'Unable to convert timestamps'");
    }
}

#[test]
fn bodies_that_are_no_json() {
    assert_eq!(malformed(""), "Expected object or value");
    assert_eq!(malformed(" \n"), "Expected object or value");
    for body in [
        "[",
        "[}",
        "[1,]",
        "nul",
        r#"[{"timestamp":1,"value":1,]"#,
        r#"[{"timestamp":1,"value":1}"#,
        r#"[{"timestamp":1,"value":1}]]"#,
        r#"[{"timestamp":1,"value":01}]"#,
        r#"[{"timestamp":1 "value":1}]"#,
        r#"[{"timestamp":1,"value":1e999}]"#,
        "[nan]",
        "\u{feff}[]",
        r#"[{"timestamp":"2015-03-06T14:33:57,"value":1}]"#,
        r#"[{"timestamp":NaN,"value":1]"#,
    ] {
        malformed(body);
    }
    assert!(matches!(
        list(b"[{\"timestamp\":1,\"value\":\"\xff\"}]", context()),
        Err(BodyError::Malformed(_))
    ));
    assert!(matches!(
        list("[".repeat(100_000).as_bytes(), context()),
        Err(BodyError::Malformed(_))
    ));
}

#[test]
fn the_number_of_points_is_limited() {
    let body = |points: usize| {
        format!(
            "[{}]",
            vec![r#"{"timestamp":1,"value":1}"#; points].join(",")
        )
    };
    assert!(list(body(1000).as_bytes(), context()).is_ok());
    assert_eq!(
        list(body(1001).as_bytes(), context()),
        Err(BodyError::TooManyPoints)
    );
    let halves = format!(
        r#"{{"{METRIC}": {}, "{}": {}}}"#,
        body(500),
        METRIC.replace('f', "e"),
        body(501)
    );
    assert_eq!(
        by_metric(halves.as_bytes(), context()),
        Err(BodyError::TooManyPoints)
    );
}

#[test]
fn the_number_of_metrics_is_limited() {
    let mapping = |entries: usize, list: &str| {
        let entry = |index: usize| format!(r#""{index:032x}": {list}"#);
        format!(
            "{{{}}}",
            (0..entries).map(entry).collect::<Vec<_>>().join(",")
        )
    };
    // A text as value is only read by the complete parser.
    for list in ["[]", r#"[{"timestamp": 1, "value": "1"}]"#] {
        let by_metric = |entries| by_metric(mapping(entries, list).as_bytes(), context());
        assert_eq!(by_metric(100).unwrap().len(), 100);
        assert_eq!(by_metric(101), Err(BodyError::TooManyMetrics));
        let by_name = |entries| {
            let body = format!(r#"{{"a": {{}}, "b": {}}}"#, mapping(entries, list));
            by_resource(body.as_bytes(), context())
        };
        assert_eq!(by_name(99).unwrap()[1].metrics.len(), 99);
        assert_eq!(by_name(100), Err(BodyError::TooManyMetrics));
    }
    let by_resource = |entries| by_resource(mapping(entries, "{}").as_bytes(), context());
    assert_eq!(by_resource(100).unwrap().len(), 100);
    assert_eq!(by_resource(101), Err(BodyError::TooManyMetrics));
}

#[test]
fn a_metric_that_stands_often_is_put_together_once() {
    let calls = std::cell::Cell::new(0);
    let items: Vec<(u8, Series)> = (0..1000)
        .map(|index| (0, Series::from_points(vec![index % 10], vec![1.0]).unwrap()))
        .collect();
    let united = unite(
        items,
        |(key, _)| *key,
        |(_, series), later| {
            calls.set(calls.get() + 1);
            let later = later.into_iter().map(|(_, series)| series);
            *series = put_together(std::mem::take(series), later);
        },
    );
    assert_eq!((united.len(), united[0].1.len(), calls.get()), (1, 10, 1));
}

#[test]
fn measures_by_metric() {
    let parsed = |body: &str| by_metric(body.as_bytes(), context());
    assert_eq!(parsed("{}"), Ok(Vec::new()));
    let found = parsed(&format!(r#"{{"{METRIC}": [{{"timestamp": 1, "value": 1}}], "37AEC8B7C0D9445B8AB9D3C6312DCF5C": []}}"#)).unwrap();
    let lengths: Vec<(String, usize)> = found
        .iter()
        .map(|(metric, series)| (metric.to_string(), series.len()))
        .collect();
    assert_eq!(
        lengths,
        [
            (METRIC.to_owned(), 1),
            ("37aec8b7-c0d9-445b-8ab9-d3c6312dcf5c".to_owned(), 0)
        ]
    );
    assert_eq!(
        invalid(parsed(r#"{"zz": []}"#)),
        (
            "not a valid value @ data['zz']".to_owned(),
            vec!["zz".to_owned()]
        )
    );
    assert_eq!(
        invalid(parsed(&format!(r#"{{"{METRIC}": [1]}}"#))),
        (
            format!("unexpected measures format for dictionary value @ data['{METRIC}']"),
            vec![METRIC.to_owned()]
        )
    );
    assert_eq!(
        invalid(parsed("[]")),
        ("expected a dictionary".to_owned(), Vec::new())
    );
}

#[test]
fn a_metric_that_stands_twice_keeps_all_its_measures() {
    for second in [METRIC.to_owned(), METRIC.to_uppercase()] {
        let body = format!(
            r#"{{"{METRIC}": [{{"timestamp": 1, "value": 1}}, {{"timestamp": 2, "value": 1}}], "{second}": [{{"timestamp": 2, "value": 2}}]}}"#
        );
        let found = by_metric(body.as_bytes(), context()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.values(), [1.0, 2.0]);
    }
}

#[test]
fn measures_by_resource() {
    let parsed = |body: &str| by_resource(body.as_bytes(), context());
    assert_eq!(parsed("{}"), Ok(Vec::new()));
    assert_eq!(parsed(r#"{"res": {}}"#).unwrap()[0].metrics, []);
    let found = parsed(
        r#"{"res": {"cpu": [{"timestamp": 1, "value": 1}],
            "disk": {"measures": [{"timestamp": 1, "value": 1}], "archive_policy_name": "low", "unit": "B"}}}"#,
    )
    .unwrap();
    assert_eq!(found[0].original_id, "res");
    let [cpu, disk] = &found[0].metrics[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (cpu.name.as_str(), cpu.series.len(), &cpu.unit),
        ("cpu", 1, &None)
    );
    assert_eq!(
        (disk.archive_policy_name.as_deref(), disk.unit.as_deref()),
        (Some("low"), Some("B"))
    );
    let reason = |body: &str| invalid(parsed(body)).0;
    assert_eq!(
        reason(r#"{"a/b": {}}"#),
        "'/' is not supported in resource id @ data['a/b']"
    );
    assert_eq!(
        reason(r#"{"res": []}"#),
        "expected a dictionary for dictionary value @ data['res']"
    );
    assert_eq!(
        reason(r#"{"res": {"cpu": 1}}"#),
        "unexpected measures format for dictionary value @ data['res']['cpu']"
    );
    assert_eq!(
        reason(r#"{"res": {"cpu": {"x": 1}}}"#),
        "extra keys not allowed @ data['res']['cpu']['x']"
    );
    assert_eq!(
        reason(r#"{"res": {"cpu": {"unit": "B"}}}"#),
        "required key not provided @ data['res']['cpu']['measures']"
    );
    assert_eq!(
        reason(r#"{"res": {"cpu": {"unit": 1}}}"#),
        "expected str for dictionary value @ data['res']['cpu']['unit']"
    );
    assert_eq!(
        reason(r#"{"res": {"cpu": {"measures": [1]}}}"#),
        "unexpected measures format for dictionary value @ data['res']['cpu']['measures']"
    );
}

/// JSON-like text: mostly good bodies, with pieces exchanged.
fn bodies() -> impl Strategy<Value = String> {
    let timestamp = prop_oneof![
        Just(r#""2015-03-06T14:33:57""#.to_owned()),
        Just("\"2015-03-06 14:33:57.123Z\"".to_owned()),
        Just("1425652437".to_owned()),
        "[0-9]{1,10}(\\.[0-9]{1,10})?",
        "\"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]\"",
        Just("null".to_owned()),
    ];
    let value = prop_oneof![
        "-?[0-9]{1,3}(\\.[0-9]{1,20})?",
        "-?[0-9]{1,3}e-?[0-9]{1,3}",
        Just("\"1\"".to_owned()),
        Just("NaN".to_owned())
    ];
    let measure = (timestamp, value, "[ ,}]{0,1}").prop_map(|(timestamp, value, extra)| {
        format!(r#"{{"timestamp": {timestamp},"value":{value}{extra}}}"#)
    });
    proptest::collection::vec(measure, 0..4)
        .prop_map(|measures| format!("[{}]", measures.join(", ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_fast_parser_reads_what_the_complete_one_reads(body in bodies()) {
        if let Some(series) = fast::list(body.as_bytes(), context()) {
            let expected = complete::list(body.as_bytes(), context());
            prop_assert_eq!(Ok(series), expected, "{}", body);
        }
        let nested = format!(r#"{{"{METRIC}": {body}}}"#);
        if let Some(metrics) = fast::by_metric(nested.as_bytes(), context()) {
            prop_assert_eq!(Ok(metrics), complete::by_metric(nested.as_bytes(), context()), "{}", nested);
        }
        let nested = format!(r#"{{"res": {{"cpu": {body}}}}}"#);
        if let Some(resources) = fast::by_resource(nested.as_bytes(), context()) {
            prop_assert_eq!(Ok(resources), complete::by_resource(nested.as_bytes(), context()), "{}", nested);
        }
    }

    #[test]
    fn cut_or_damaged_bodies_never_panic_and_never_disagree(body in bodies(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = body.into_bytes();
        let place = at.index(bytes.len());
        for damaged in [bytes[..place].to_vec(), { bytes[place] = byte; bytes.clone() }] {
            if let Some(series) = fast::list(&damaged, context()) {
                prop_assert_eq!(Ok(series), complete::list(&damaged, context()));
            } else {
                let _ = complete::list(&damaged, context());
            }
        }
    }
}

#[test]
fn usual_bodies_take_the_fast_way() {
    let measures = r#"[{"timestamp": "2015-03-06T14:33:57", "value": 43.1}, {"timestamp":"2015-03-06T14:34:12+00:00","value":12}]"#;
    assert!(fast::list(measures.as_bytes(), context()).is_some());
    assert!(
        fast::by_metric(
            format!("{{\"{METRIC}\": {measures}}}").as_bytes(),
            context()
        )
        .is_some()
    );
    assert!(
        fast::by_resource(
            format!("{{\"res\": {{\"cpu\": {measures}}}}}").as_bytes(),
            context()
        )
        .is_some()
    );
}

#[test]
fn the_measure_that_is_wrong_is_named_and_shown() {
    let check = |body: &str, expected: &str| {
        let Err(BodyError::Invalid(invalid)) = list(body.as_bytes(), context()) else {
            panic!("{body}")
        };
        let explanation = invalid.into_explanation().unwrap();
        assert!(explanation.contains(expected), "{body}: {explanation}");
    };
    check(
        r#"[{"timestamp": 1, "value": 1}, {"timestamp": 1714521600000, "value": 1}]"#,
        "measure at index 1: 1714521600000 looks like milliseconds since 1970 (2024-05-01T00:00:00Z), but seconds are expected",
    );
    check(
        r#"[{"timestamp": "soon", "value": 1}]"#,
        "measure at index 0: \"soon\" is not a timestamp; expected ISO 8601",
    );
    check(
        r#"[{"timestamp": -5, "value": 1}]"#,
        "measure at index 0: -5 seconds is before 1970",
    );
    check(
        r#"[{"timestamp": 1, "value": 1}, {"timestamp": "2024-05-01", "value": 1}]"#,
        "measure at index 1: the timestamp is a date, now or today, after a number of seconds in the same list",
    );
    check(
        r#"[{"timestamp": 1, "value": "x"}]"#,
        "measure at index 0: the value \"x\" is not a number",
    );
    check(
        r#"[{"timestamp": 1}]"#,
        "measure at index 0: the value is missing",
    );
    check(
        r#"[{"value": 1}, 7]"#,
        "measure at index 0: the timestamp is missing (and 1 more measure is wrong)",
    );
    check(
        "[7]",
        "measure at index 0: not an object with a timestamp and a value",
    );
    check("{\"a\": 1}", "a list of objects");
    // Of several faults the reported one is explained, however many come before it.
    let many = vec![r#"{"timestamp": 1, "value": "x"}"#; 500].join(",");
    check(
        &format!(r#"[{many}, {{"timestamp": "soon", "value": 1}}]"#),
        "measure at index 500: the timestamp cannot be used (and 500 more measures are wrong)",
    );
}
