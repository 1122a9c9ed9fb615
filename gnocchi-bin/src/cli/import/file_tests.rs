use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;

use carbonara::Series;

use super::super::columns::ColumnChoice;
use super::super::number::Decimal;
use super::super::piece::{BadLine, Counts};
use super::super::timestamp::{EpochUnit, TimestampForm};
use super::*;

/// Reads a file that fits into one piece.
fn read(bytes: &[u8], options: &FileOptions) -> Result<Piece, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("load.csv");
    fs::write(&path, bytes).unwrap();
    let read = || {
        let mut file = FileReader::open(&path, options, 3)?;
        let piece = file.next_piece()?.unwrap();
        assert!(file.next_piece()?.is_none());
        Ok(piece)
    };
    read().map_err(|error: FileError| {
        let text = error.to_string();
        text.replace(directory.path().to_str().unwrap(), "DIR")
    })
}

fn parse(text: &str) -> Result<Piece, String> {
    read(text.as_bytes(), &FileOptions::default())
}

fn points(piece: &Piece) -> Vec<(&str, Vec<i64>, Vec<f64>)> {
    let seconds = |series: &Series| {
        let timestamps_ns = series.timestamps_ns().iter();
        timestamps_ns.map(|ns| ns / 1_000_000_000).collect()
    };
    let metrics = piece.metrics.iter();
    metrics
        .map(|(name, series)| (&**name, seconds(series), series.values().to_vec()))
        .collect()
}

/// Checks a file whose only metric is `load`.
fn check(text: &str, timestamps: &[i64], values: &[f64]) {
    let piece = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let expected = [("load", timestamps.to_vec(), values.to_vec())];
    assert_eq!(points(&piece), expected, "{text:?}: {:?}", piece.bad_lines);
}

fn problems(piece: &Piece) -> Vec<(u64, &str)> {
    let bad = piece.bad_lines.iter();
    bad.map(|bad| (bad.line, bad.problem.as_str())).collect()
}

fn refused(text: &str, expected: &str) {
    assert_eq!(parse(text).unwrap_err(), expected, "{text:?}");
}

const MAY: i64 = 1_714_521_600;

#[test]
fn a_file_with_two_columns_is_one_metric() {
    check("timestamp,value\n10,1.5\n20,2\n", &[10, 20], &[1.5, 2.0]);
    check(
        "Value , unit, TIME\n1, %, 10\n2,%,20\n",
        &[10, 20],
        &[1.0, 2.0],
    );
    check("10,1\n20,2\n", &[10, 20], &[1.0, 2.0]);
}

#[test]
fn separators_are_found() {
    for separator in [",", ";", "\t", "|"] {
        let text = "time,value\n2024-05-01 00:00:00,1.5\n2024-05-01 00:00:01,2.5\n";
        check(&text.replace(',', separator), &[MAY, MAY + 1], &[1.5, 2.5]);
    }
    check("sep=;\ntime;value\n10;1\n", &[10], &[1.0]);
    check("\u{feff}sep=\t\r\ntime\tvalue\r\n10\t1\r\n", &[10], &[1.0]);
    check("10;1,5\n20;2,5\n", &[10, 20], &[1.5, 2.5]);
}

#[test]
fn spreadsheets_are_understood() {
    check(
        "\u{feff}\"Timestamp\",\"Value\"\r\n\"2024-05-01 00:00:00\",\" 1.5 \"\r\n",
        &[MAY],
        &[1.5],
    );
    check(
        "Time;Value\r\n2024-05-01 00:00:00;\"1.234,5\"\r\n2024-05-01 00:00:01;1.234\r\n",
        &[MAY],
        &[1234.5],
    );
}

#[test]
fn decimal_commas_are_found() {
    check("time;value\n10;1,5\n20;-2,25\n", &[10, 20], &[1.5, -2.25]);
    check("time;value\n10;1,5\n20;1,234\n", &[10, 20], &[1.5, 1.234]);
    check("time,value\n10,\"1,5\"\n", &[10], &[1.5]);
    check(
        "time;value\n10;1.5\n20;1,234.5\n",
        &[10, 20],
        &[1.5, 1234.5],
    );
    let piece = parse("time;value\n10;1,234\n20;2\n").unwrap();
    assert_eq!(points(&piece), [("load", vec![20], vec![2.0])]);
    assert!(problems(&piece)[0].1.contains("--decimal , or --decimal ."));
    for (decimal, value) in [(Decimal::Point, 1234.0), (Decimal::Comma, 1.234)] {
        let options = FileOptions {
            decimal: Some(decimal),
            ..FileOptions::default()
        };
        let piece = read(b"time;value\n10;1,234\n", &options).unwrap();
        assert_eq!(points(&piece), [("load", vec![10], vec![value])]);
    }
}

#[test]
fn a_number_that_the_separator_cuts_is_no_measure() {
    let piece = parse("time,value\n10,1\n20,2,5\n30,3,\n").unwrap();
    assert_eq!(points(&piece), [("load", vec![10, 30], vec![1.0, 3.0])]);
    let expected = "the line has 3 fields and the first line 2; numbers with commas need quotes, or another separator";
    assert_eq!(problems(&piece), [(3, expected)]);
}

#[test]
fn a_column_names_the_metric() {
    let piece = parse("timestamp,metric,value\n10,a,1\n10,b,2\n20,a,3\n20,,4\n20,a/b,5\n").unwrap();
    assert_eq!(
        points(&piece),
        [
            ("a", vec![10, 20], vec![1.0, 3.0]),
            ("b", vec![10], vec![2.0])
        ]
    );
    assert_eq!(
        problems(&piece),
        [
            (5, "column 2 (metric): it has no name"),
            (
                6,
                "column 2 (metric): the name \"a/b\" has a slash, which names of metrics must not have"
            )
        ]
    );
}

#[test]
fn each_column_may_be_a_metric() {
    let text = "time,cpu,mem,disk\n10,1,,3\n20,3,8,\n30,,NaN,-\n40,x,1,\n50,5\n";
    let piece = parse(text).unwrap();
    assert_eq!(
        points(&piece),
        [
            ("cpu", vec![10, 20, 50], vec![1.0, 3.0, 5.0]),
            ("mem", vec![20, 40], vec![8.0, 1.0]),
            ("disk", vec![10], vec![3.0]),
        ]
    );
    assert_eq!(
        problems(&piece),
        [(5, "column 2 (cpu): \"x\" is not a number")]
    );
    let expected = Counts {
        lines: 5,
        bad: 1,
        empty: 8,
        repeated: 0,
        points: 6,
    };
    assert_eq!(piece.counts, expected);
}

#[test]
fn columns_of_text_are_no_metrics() {
    refused(
        "time,host,cpu\n10,web-1,1\n",
        "DIR/load.csv:2: column 2 (host) holds text (\"web-1\"), not numbers; choose the columns with values by --value-column",
    );
    refused(
        "time,cpu,\n10,1,7\n",
        "DIR/load.csv:2: column 3 holds \"7\" but has no name in the first line; choose the columns with values by --value-column",
    );
    let options = FileOptions {
        columns: ColumnChoice {
            values: vec!["cpu".parse().unwrap()],
            ..ColumnChoice::default()
        },
        ..FileOptions::default()
    };
    let piece = read(b"time,host,cpu\n10,web-1,1\n", &options).unwrap();
    assert_eq!(points(&piece), [("load", vec![10], vec![1.0])]);
}

#[test]
fn one_metric_is_named_by_an_option() {
    let options = |metric: &str| FileOptions {
        metric: Some(metric.into()),
        ..FileOptions::default()
    };
    let named = |text: &str| read(text.as_bytes(), &options("x"));
    for text in ["time,value\n10,1\n", "time,cpu\n10,1\n", "10,1\n"] {
        let piece = named(text).unwrap();
        assert_eq!(points(&piece), [("x", vec![10], vec![1.0])], "{text}");
    }
    let refused = |text: &str| named(text).unwrap_err();
    assert_eq!(
        refused("time,metric,value\n10,a,1\n"),
        "DIR/load.csv:1: --metric x names one metric, and column 2 (metric) names the one of each line: leave out --metric, or the column"
    );
    assert_eq!(
        refused("time,cpu,mem\n10,1,2\n"),
        "DIR/load.csv:1: --metric x names one metric, and each of these columns is one: column 2 (cpu), column 3 (mem); choose one with --value-column"
    );
}

#[test]
fn points_are_sorted_and_the_last_of_equal_timestamps_counts() {
    let piece = parse("timestamp,value\n30,1\n10,2\n30,3\n20,4\n").unwrap();
    assert_eq!(
        points(&piece),
        [("load", vec![10, 20, 30], vec![2.0, 4.0, 3.0])]
    );
    assert_eq!((piece.counts.lines, piece.counts.repeated), (4, 1));
}

#[test]
fn a_bad_line_does_not_lose_the_rest() {
    let text = "timestamp,value\n10,1\nsoon,2\n20\n30,\n40,x\n50,nan\n60,1e999\n# comment\n70,7\n";
    let piece = parse(text).unwrap();
    assert_eq!(points(&piece), [("load", vec![10, 70], vec![1.0, 7.0])]);
    let expected = Counts {
        lines: 8,
        bad: 4,
        empty: 2,
        repeated: 0,
        points: 2,
    };
    assert_eq!(piece.counts, expected);
    assert_eq!(
        problems(&piece),
        [
            (
                3,
                "column 1 (timestamp): \"soon\" is neither ISO 8601 (2024-05-01 12:00:00) nor a number of seconds; other forms are described with --timestamp-format"
            ),
            (4, "column 2 (value) is missing: the line has 1 field"),
            (6, "column 2 (value): \"x\" is not a number"),
        ]
    );
}

#[test]
fn a_stray_quote_loses_one_line() {
    let piece = parse("timestamp,value\n10,1\n20,\"2\n30,3\n\"40\",\"4\"\n").unwrap();
    assert_eq!(
        points(&piece),
        [("load", vec![10, 30, 40], vec![1.0, 3.0, 4.0])]
    );
    let expected = "a quote is not closed on its line: \"20,\\\"2\"";
    assert_eq!(problems(&piece), [(3, expected)]);
}

#[test]
fn headers_in_the_middle_are_no_measures() {
    let piece = parse("time,value\n10,1\ntime,value\n20,2\n").unwrap();
    assert_eq!(points(&piece), [("load", vec![10, 20], vec![1.0, 2.0])]);
    assert_eq!((piece.counts.lines, piece.counts.bad), (2, 0));
}

#[test]
fn units_that_are_obviously_wrong_are_refused() {
    let text = "time,value\n1714521600000,1\n";
    let piece = parse(text).unwrap();
    let expected = "column 1 (time): \"1714521600000\" looks like milliseconds since 1970 (2024-05-01T00:00:00Z), but seconds are expected; see --epoch-unit ms";
    assert_eq!(problems(&piece), [(2, expected)]);
    let options = FileOptions {
        timestamps: TimestampForm {
            unit: EpochUnit::Milliseconds,
            format: None,
        },
        ..FileOptions::default()
    };
    let piece = read(text.as_bytes(), &options).unwrap();
    assert_eq!(points(&piece), [("load", vec![MAY], vec![1.0])]);
}

#[test]
fn a_name_may_have_255_characters() {
    let (good, bad) = ("é".repeat(255), "é".repeat(256));
    let text = format!("timestamp,metric,value\n10,{good},1\n10,{bad},2\n");
    let piece = parse(&text).unwrap();
    assert_eq!(points(&piece), [(good.as_str(), vec![10], vec![1.0])]);
    let expected = "column 2 (metric): its name is longer than 255 characters";
    assert_eq!(problems(&piece), [(3, expected)]);
}

#[test]
fn other_encodings_are_named() {
    let piece = read(
        b"timestamp,value\n10,1\n20,\xff\n30,3\n",
        &FileOptions::default(),
    )
    .unwrap();
    assert_eq!(points(&piece)[0].1, [10, 30]);
    let expected = "byte 4 (0xff) is not UTF-8; convert the file first, for example with iconv -f WINDOWS-1252 -t UTF-8";
    assert_eq!(
        piece.bad_lines,
        [BadLine {
            line: 3,
            problem: expected.into()
        }]
    );
    let error = read(b"time;Gr\xf6\xdfe\n10;1\n", &FileOptions::default()).unwrap_err();
    assert!(
        error.starts_with("DIR/load.csv:1: byte 8 (0xf6) is not UTF-8"),
        "{error}"
    );
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    refused(
        "when,what\n10,1\n",
        "DIR/load.csv:1: no column has a known name (timestamp, time, date and the like) and the first line is not a measure; found: when | what; see --timestamp-column and --timestamp-format",
    );
    refused(
        "value,\"timestamp\n10,1\n",
        "DIR/load.csv:1: a quote is not closed on its line: \"value,\\\"timestamp\"",
    );
    refused(
        "timestamp value\n10 1\n",
        "DIR/load.csv:1: no separator between fields: neither comma, semicolon, tab nor | is in \"timestamp value\"; see --delimiter",
    );
    let options = FileOptions {
        delimiter: Some(",".parse().unwrap()),
        ..FileOptions::default()
    };
    assert_eq!(
        read(b"time;value\n10;1\n", &options).unwrap_err(),
        "DIR/load.csv:1: the separator ',' does not occur in \"time;value\"; see --delimiter"
    );
    let missing = Path::new("/nonexistent/a.csv");
    let error = FileReader::open(missing, &FileOptions::default(), 1)
        .err()
        .unwrap();
    let error = error.to_string();
    assert!(
        error.starts_with("/nonexistent/a.csv: cannot read the file: "),
        "{error}"
    );
}

#[test]
fn an_empty_file_has_no_lines() {
    for text in ["", "timestamp,value\n", "# nothing\n\n"] {
        let piece = parse(text).unwrap();
        assert_eq!(piece.counts, Counts::default(), "{text:?}");
    }
}

#[test]
fn long_files_come_in_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.csv");
    let lines: Vec<String> = (0..25).map(|i| format!("{},{i}", 100 - i)).collect();
    let lines = lines.join("\n");
    fs::write(&path, format!("time,value\n{lines}")).unwrap();
    let mut file = FileReader::open(&path, &FileOptions::default(), 3).unwrap();
    file.points_per_piece = 10;
    let mut found = Vec::new();
    let mut bytes = 0;
    while let Some(piece) = file.next_piece().unwrap() {
        found.push((piece.counts.points, piece.goes_back));
        bytes += piece.bytes;
    }
    assert_eq!(found, [(10, false), (10, true), (5, true)]);
    assert_eq!(bytes, path.metadata().unwrap().len());
}

#[test]
fn the_first_lines_show_the_metrics_and_the_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let glimpse_of = |text: &str| {
        let path = directory.path().join("x.csv");
        fs::write(&path, text).unwrap();
        let Glimpse {
            has_several_metrics,
            first_ns,
        } = glimpse(&path, &FileOptions::default());
        (has_several_metrics, first_ns.map(|ns| ns / 1_000_000_000))
    };
    assert_eq!(glimpse_of("time,value\nx,1\n20,1\n"), (false, Some(20)));
    assert_eq!(glimpse_of("time,a,b\n30,1,2\n"), (true, Some(30)));
    assert_eq!(glimpse_of("what"), (false, None));
    let unreadable = glimpse(Path::new("/nonexistent/x.csv"), &FileOptions::default());
    assert_eq!(unreadable, Glimpse::default());
}

#[test]
fn a_glimpse_takes_nothing_out_of_a_pipe() {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"time,value\n20,1\n").unwrap();
    drop(writer);
    let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
    // Such a pipe has no name of its own.
    let options = FileOptions {
        metric: Some("x".into()),
        ..FileOptions::default()
    };
    assert!(glimpse(&path, &options).has_several_metrics);
    let mut file = FileReader::open(&path, &options, 3).unwrap();
    let piece = file.next_piece().unwrap().unwrap();
    assert_eq!(points(&piece), [("x", vec![20], vec![1.0])]);
}

#[test]
fn metrics_are_named_after_files() {
    let check = |path: &str, expected: &str| assert_eq!(metric_name(Path::new(path)), expected);
    check("a/cpu.csv", "cpu");
    check("cpu.util.csv", "cpu.util");
    check("cpu.csv.gz", "cpu");
    check("cpu", "cpu");
    check("-", "-");
}
