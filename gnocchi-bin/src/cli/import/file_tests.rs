use std::fs;

use super::*;

fn parse(text: &str) -> Result<ParsedFile, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cpu.csv");
    fs::write(&path, text).unwrap();
    read(&path, EpochUnit::Seconds, 3).map_err(|error| {
        error
            .to_string()
            .replace(directory.path().to_str().unwrap(), "DIR")
    })
}

fn points(parsed: &ParsedFile) -> Vec<(String, Vec<i64>, Vec<f64>)> {
    let seconds = |series: &Series| {
        series
            .timestamps_ns()
            .iter()
            .map(|ns| ns / 1_000_000_000)
            .collect()
    };
    parsed
        .metrics
        .iter()
        .map(|(name, series)| (name.clone(), seconds(series), series.values().to_vec()))
        .collect()
}

#[test]
fn a_file_with_two_columns_is_one_metric() {
    let parsed =
        parse("timestamp,value\n2015-09-01 13:45:00,3.06\n2015-09-01 13:50:00,6.44\n").unwrap();
    assert_eq!(
        points(&parsed),
        [(
            "cpu".into(),
            vec![1_441_115_100, 1_441_115_400],
            vec![3.06, 6.44]
        )]
    );
    assert_eq!((parsed.lines, parsed.bad_count, parsed.repeated), (2, 0, 0));
}

#[test]
fn columns_stand_anywhere() {
    let parsed = parse("Value , unit, TIME\n1, %, 10\n2,%,20,more\n").unwrap();
    assert_eq!(
        points(&parsed),
        [("cpu".into(), vec![10, 20], vec![1.0, 2.0])]
    );
}

#[test]
fn a_first_line_with_a_measure_is_no_header() {
    let parsed = parse("10,1\n20,2\n").unwrap();
    assert_eq!(
        points(&parsed),
        [("cpu".into(), vec![10, 20], vec![1.0, 2.0])]
    );
    assert_eq!(parsed.lines, 2);
}

#[test]
fn a_column_names_the_metric() {
    let parsed =
        parse("timestamp,metric,value\n10,a,1\n10,b,2\n20,a,3\n20,,4\n20,a/b,5\n").unwrap();
    assert_eq!(
        points(&parsed),
        [
            ("a".into(), vec![10, 20], vec![1.0, 3.0]),
            ("b".into(), vec![10], vec![2.0])
        ]
    );
    let problems: Vec<_> = parsed
        .bad_lines
        .iter()
        .map(|bad| (bad.line, bad.problem.as_str()))
        .collect();
    assert_eq!(
        problems,
        [
            (5, "the name of the metric is missing"),
            (6, "the name of a metric has no slash: \"a/b\"")
        ]
    );
}

#[test]
fn points_are_sorted_and_the_last_of_equal_timestamps_counts() {
    let parsed = parse("timestamp,value\n30,1\n10,2\n30,3\n20,4\n").unwrap();
    assert_eq!(
        points(&parsed),
        [("cpu".into(), vec![10, 20, 30], vec![2.0, 4.0, 3.0])]
    );
    assert_eq!((parsed.lines, parsed.repeated), (4, 1));
}

#[test]
fn a_bad_line_does_not_lose_the_rest() {
    let text = "timestamp,value\n10,1\nsoon,2\n20\n30,\n40,x\n50,nan\n60,1e999\n# comment\n70,7\n";
    let parsed = parse(text).unwrap();
    assert_eq!(
        points(&parsed),
        [("cpu".into(), vec![10, 70], vec![1.0, 7.0])]
    );
    assert_eq!((parsed.lines, parsed.bad_count), (8, 6));
    let problems: Vec<_> = parsed
        .bad_lines
        .iter()
        .map(|bad| (bad.line, bad.problem.as_str()))
        .collect();
    assert_eq!(
        problems,
        [
            (3, "the timestamp is neither ISO 8601 nor a number"),
            (4, "the value is missing"),
            (5, "the value is missing"),
        ]
    );
}

#[test]
fn a_stray_quote_loses_one_line() {
    let parsed = parse("timestamp,value\n10,1\n20,\"2\n30,3\n\"40\",\"4\"\n").unwrap();
    assert_eq!(
        points(&parsed),
        [("cpu".into(), vec![10, 30, 40], vec![1.0, 3.0, 4.0])]
    );
    assert_eq!((parsed.lines, parsed.bad_count), (4, 1));
    assert_eq!(
        parsed.bad_lines,
        [BadLine {
            line: 3,
            problem: "a quote is not closed on its line".into()
        }]
    );
}

#[test]
fn a_name_may_have_255_characters() {
    let (good, bad) = ("é".repeat(255), "é".repeat(256));
    let parsed = parse(&format!(
        "timestamp,metric,value\n10,{good},1\n10,{bad},2\n"
    ))
    .unwrap();
    assert_eq!(points(&parsed), [(good, vec![10], vec![1.0])]);
    assert_eq!(
        parsed.bad_lines,
        [BadLine {
            line: 3,
            problem: "the name of the metric is longer than 255 characters".into()
        }]
    );
}

#[test]
fn text_that_is_not_utf8_is_a_bad_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cpu.csv");
    fs::write(&path, b"timestamp,value\n10,1\n20,\xff\n30,3\n").unwrap();
    let parsed = read(&path, EpochUnit::Seconds, 3).unwrap();
    assert_eq!(points(&parsed)[0].1, [10, 30]);
    assert_eq!(
        parsed.bad_lines,
        [BadLine {
            line: 3,
            problem: "the line is not UTF-8 text".into()
        }]
    );
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    let check =
        |text: &str, expected: &str| assert_eq!(parse(text).unwrap_err(), expected, "{text:?}");
    check(
        "when,what\n10,1\n",
        "DIR/cpu.csv:1: the columns need names, among them timestamp and value (and maybe metric); found: when,what",
    );
    check(
        "value,\"timestamp\n10,1\n",
        "DIR/cpu.csv:1: the columns need names, among them timestamp and value (and maybe metric); found: a quote is not closed on its line",
    );
    let error = read(Path::new("/nonexistent/a.csv"), EpochUnit::Seconds, 1)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nonexistent/a.csv: cannot read the file: "),
        "{error}"
    );
}

#[test]
fn an_empty_file_has_no_lines() {
    for text in ["", "timestamp,value\n"] {
        let parsed = parse(text).unwrap();
        assert_eq!(
            (parsed.lines, parsed.points(), parsed.bad_count),
            (0, 0, 0),
            "{text:?}"
        );
    }
}
