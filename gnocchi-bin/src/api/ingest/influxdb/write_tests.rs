use std::fmt::Write;

use carbonara::Series;
use proptest::prelude::*;

use super::*;

fn options(resource_tag: &str) -> WriteOptions<'_> {
    WriteOptions {
        resource_tag,
        precision: Precision::Nanosecond,
        context: Context {
            now: Timestamp::from_second(1000).unwrap(),
            points_max: 10,
            metrics_max: 5,
        },
    }
}

/// Resource, metric, and points of each metric.
type Read = Vec<(String, String, Vec<(i64, f64)>)>;

fn points(series: &Series) -> Vec<(i64, f64)> {
    let timestamps = series.timestamps_ns().iter().copied();
    timestamps.zip(series.values().iter().copied()).collect()
}

fn read(body: &str, options: WriteOptions<'_>) -> Result<Read, WriteError> {
    let arrivals = parse(body.as_bytes(), options)?;
    let metrics = arrivals.metrics.iter().map(|arrival| {
        let resource = arrivals.resources[arrival.resource].clone();
        (resource, arrival.name.to_string(), points(&arrival.series))
    });
    Ok(metrics.collect())
}

/// What [`Read`] is of, borrowed.
type Expected<'a> = (&'a str, &'a str, &'a [(i64, f64)]);

#[track_caller]
fn check(body: &str, expected: &[Expected<'_>]) {
    let expected = expected.iter().map(|(resource, name, points)| {
        ((*resource).to_owned(), (*name).to_owned(), points.to_vec())
    });
    assert_eq!(
        read(body, options("host")),
        Ok(expected.collect()),
        "{body}"
    );
}

const NOW: i64 = 1_000_000_000_000;

#[test]
fn measurement_field_and_tags_name_a_metric() {
    check(
        "mymetric,host=foobar,mytag=myvalue field=123 5",
        &[("foobar", "mymetric.field@mytag=myvalue", &[(5, 123.0)])],
    );
    check(
        "m,host=h f=1i,g=T",
        &[("h", "m.f", &[(NOW, 1.0)]), ("h", "m.g", &[(NOW, 1.0)])],
    );
    check(
        "m,z=1,host=h,a=2 f=-1",
        &[("h", "m.f@a=2,z=1", &[(NOW, -1.0)])],
    );
    check(
        "cpu,path=/foo/bar,host=h f=1",
        &[("h", "cpu.f@path=_foo_bar", &[(NOW, 1.0)])],
    );
    check(
        r"a\ b,host=x\ y f\=g=1",
        &[("x y", "a b.f=g", &[(NOW, 1.0)])],
    );
    check("", &[]);
    check("\n\r\n# nothing\n", &[]);
    check("m,host=h f=\"text\"", &[]);
}

#[test]
fn lines_of_one_metric_are_put_together() {
    let body =
        "m,host=h,a=1 f=1 3\nm,host=g,a=1 f=9 1\nm,a=1,host=h f=2 2\r\n\nm,host=h,a=1 f=3 3\n";
    check(
        body,
        &[
            ("h", "m.f@a=1", &[(2, 2.0), (3, 3.0)]),
            ("g", "m.f@a=1", &[(1, 9.0)]),
        ],
    );
    // A slash and what replaces it.
    check(
        "m/n,host=h f=1 1\nm_n,host=h f=2 1",
        &[("h", "m_n.f", &[(1, 2.0)])],
    );
    // Fields in another order, and one twice.
    check(
        "m,host=h a=1,b=2 1\nm,host=h b=3,a=4,b=5 2",
        &[
            ("h", "m.a", &[(1, 1.0), (2, 4.0)]),
            ("h", "m.b", &[(1, 2.0), (2, 5.0)]),
        ],
    );
}

#[test]
fn another_tag_can_name_the_resource() {
    let expected = vec![("v".to_owned(), "m.f@host=h".to_owned(), vec![(NOW, 1.0)])];
    assert_eq!(read("m,host=h,t=v f=1", options("t")), Ok(expected));
    let missing = WriteError::NoResource {
        tag: "t".to_owned(),
    };
    assert_eq!(read("m,host=h f=1", options("t")), Err(missing));
}

#[test]
fn timestamps_count_units() {
    let check = |precision: &str, timestamp: &str, expected: Result<i64, WriteError>| {
        let options = WriteOptions {
            precision: Precision::from_name(precision).unwrap(),
            ..options("host")
        };
        let body = format!("m,host=h f=1 {timestamp}");
        let read = read(&body, options).map(|read| read[0].2[0].0);
        assert_eq!(read, expected, "{timestamp} {precision}");
    };
    check("", "7", Ok(7));
    check("ns", "7", Ok(7));
    check("u", "7", Ok(7_000));
    check("ms", "7", Ok(7_000_000));
    check("s", "7", Ok(7_000_000_000));
    check("m", "7", Ok(420_000_000_000));
    check("h", "1", Ok(3_600_000_000_000));
    let time = |error| Err(WriteError::Time { number: 1, error });
    check("ns", "-1", time(TimeError::BeforeEpoch));
    check("s", "-9223372036854775808", time(TimeError::BeforeEpoch));
    check("s", "9223372036854775807", time(TimeError::OutOfRange));
    assert_eq!(Precision::from_name("d"), None);
}

#[test]
fn the_first_bad_line_is_named() {
    let check = |body: &[u8], number: usize| {
        assert_eq!(
            parse(body, options("host")),
            Err(WriteError::Line { number })
        );
    };
    check(b"x", 1);
    check(b"m,host=h f=1\nx\ny", 2);
    check(b"m,host=h f=1 5 6\n", 1);
    check(b"\n# c\nm,host=h f=\"a\nb\"\nx", 5);
    check(b"m,host=h f=1\nm,host=h f=1\nm,host=\xff f=1", 3);
    check(b"m,host=h,a=1,a=2 f=1", 1);
    let long = format!("m,host=h f=1\nm,host=h {}=1", "é".repeat(254));
    let too_long = WriteError::NameTooLong { number: 2 };
    assert_eq!(read(&long, options("host")), Err(too_long));
    assert!(read(&format!("m,host=h {}=1", "é".repeat(253)), options("host")).is_ok());
}

#[test]
fn lines_of_many_fields_may_change_their_order() {
    let context = Context {
        points_max: 1000,
        metrics_max: 100,
        ..options("host").context
    };
    let line = |fields: &mut dyn Iterator<Item = i64>, at: i64| {
        let fields: Vec<String> = fields.map(|field| format!("f{field}={field}")).collect();
        format!("m,host=h {} {at}\n", fields.join(","))
    };
    let forwards = line(&mut (0..100), 1);
    let backwards = line(&mut (0..100).rev(), 2);
    let some = line(&mut (0..100).filter(|field| field % 3 == 1), 3);
    let body = [forwards.clone(), backwards, some, forwards].concat();
    let options = WriteOptions {
        context,
        ..options("host")
    };
    let read = read(&body, options).unwrap();
    assert_eq!(read.len(), 100);
    for (index, (_, name, points)) in (0_i32..).zip(&read) {
        assert_eq!(*name, format!("m.f{index}"));
        let value = f64::from(index);
        let last = (index % 3 == 1).then_some((3, value));
        let expected: Vec<(i64, f64)> = [(1, value), (2, value)].into_iter().chain(last).collect();
        assert_eq!(*points, expected, "{name}");
    }
}

#[test]
fn series_without_a_number_are_limited_too() {
    let lines = |count: usize| {
        let lines: Vec<String> = (0..count)
            .map(|at| format!("m,host=h{at} f=\"\""))
            .collect();
        read(&lines.join("\n"), options("host"))
    };
    assert_eq!(lines(5), Ok(Vec::new()));
    assert_eq!(lines(6), Err(WriteError::Exceeded(Exceeded::Metrics)));
}

#[test]
fn there_are_limits() {
    let lines = |range: std::ops::Range<i64>, field: &dyn Fn(i64) -> String| {
        let lines: Vec<String> = range
            .map(|at| format!("m,host=h {}=1 {at}", field(at)))
            .collect();
        read(&lines.join("\n"), options("host")).map(|read| read.len())
    };
    assert_eq!(lines(0..10, &|_| "f".to_owned()), Ok(1));
    assert_eq!(
        lines(0..11, &|_| "f".to_owned()),
        Err(WriteError::Exceeded(Exceeded::Points))
    );
    assert_eq!(lines(0..5, &|at| format!("f{at}")), Ok(5));
    assert_eq!(
        lines(0..6, &|at| format!("f{at}")),
        Err(WriteError::Exceeded(Exceeded::Metrics))
    );
}

/// Names that can be written.
fn name() -> impl Strategy<Value = String> {
    r#"[a-zA-Z ,="\\é☃#]{1,6}[a-z]"#
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(
        measurement in name(),
        resource in name(),
        tags in proptest::collection::btree_map(name(), name(), 0..4),
        fields in proptest::collection::btree_map(name(), -1e300..1e300_f64, 1..4),
        at in 0..i64::MAX,
    ) {
        let print = |text: &String| Name::print(text).unwrap();
        // A leading number sign begins a comment.
        let mut line = print(&format!("m{measurement}"));
        for (tag, value) in [(&"host".to_owned(), &resource)].into_iter().chain(&tags) {
            write!(line, ",{}={}", print(tag), print(value)).unwrap();
        }
        let printed: Vec<String> = fields.iter().map(|(field, value)| format!("{}={value:?}", print(field))).collect();
        write!(line, " {} {at}", printed.join(",")).unwrap();
        let suffix: Vec<String> = tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect();
        let suffix = if suffix.is_empty() { String::new() } else { format!("@{}", suffix.join(",")) };
        let expected: Read = fields.iter().map(|(field, value)| {
            (resource.clone(), format!("m{measurement}.{field}{suffix}"), vec![(at, *value)])
        }).collect();
        let read = read(&line, options("host"));
        prop_assert_eq!(read, Ok(expected), "{}", line);
    }

    #[test]
    fn no_bytes_break_the_parser(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse(&body, options("host"));
    }
}
