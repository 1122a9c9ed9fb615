use std::fmt::Write;

use carbonara::{Series, Timestamp};
use proptest::prelude::*;

use super::super::parse::Cause;
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

fn metrics(written: &Written) -> Read {
    let metrics = written.arrivals.metrics.iter().map(|arrival| {
        let resource = written.arrivals.resources[arrival.resource].clone();
        (resource, arrival.name.to_string(), points(&arrival.series))
    });
    metrics.collect()
}

/// Reads a body of good lines.
#[track_caller]
fn read(body: &str, options: WriteOptions<'_>) -> Result<Read, Exceeded> {
    let written = parse(body.as_bytes(), options)?;
    assert_eq!(written.rejected.failures(), 0, "{body}");
    Ok(metrics(&written))
}

/// Reads a body and returns the first bad line, and how many measures are not stored.
#[track_caller]
fn first_fault(body: &[u8]) -> (LineError, usize) {
    let written = parse(body, options("host")).unwrap();
    let first = written.rejected.first().unwrap();
    assert_eq!(first.place, first.error.number);
    assert_eq!(first.reason, first.error.fault.reason());
    (first.error.clone(), written.rejected.failures())
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
    // Nor is it looked at whose text that is.
    check("m f=\"text\"", &[]);
}

#[test]
fn what_differs_is_another_metric() {
    let body = r"a.b,host=h c=1 1
a,host=h b.c=2 1
m,host=h,a=1\,b\=2 v=3 1
m,host=h,a=1,b=2 v=4 1
";
    check(
        body,
        &[
            ("h", "a.b.c", &[(1, 1.0)]),
            ("h", r"a.b\.c", &[(1, 2.0)]),
            ("h", r"m.v@a=1\,b=2", &[(1, 3.0)]),
            ("h", "m.v@a=1,b=2", &[(1, 4.0)]),
        ],
    );
    check(
        "n,host=h,p=/x v=1 1\nn,host=h,p=_x v=2 1\nn@p=/x,host=h v=3 1\nn/o,host=h v=4 1\nn_o,host=h v=5 1",
        &[
            ("h", "n.v@p=_x", &[(1, 1.0)]),
            ("h", r"n.v@p=\_x", &[(1, 2.0)]),
            ("h", r"n\@p=\_x.v", &[(1, 3.0)]),
            ("h", r"n\_o.v", &[(1, 4.0)]),
            ("h", "n_o.v", &[(1, 5.0)]),
        ],
    );
}

#[test]
fn long_names_end_with_a_digest() {
    let written = |field: usize| {
        let body = format!("m,host=h {}=1", "é".repeat(field));
        let written = parse(body.as_bytes(), options("host")).unwrap();
        written.arrivals.metrics[0].clone()
    };
    // So many characters were possible before.
    let fits = written(253);
    assert_eq!(fits.name.chars().count(), 255);
    assert_eq!(fits.full_name, None);
    let long = written(254);
    assert_eq!(long.name.chars().count(), 255);
    let full_name = long.full_name.as_ref().map(ToString::to_string);
    assert_eq!(full_name, Some(format!("m.{}", "é".repeat(254))));
    assert_ne!(long.name, written(255).name);
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
    let written = parse(b"m,host=h f=1", options("t")).unwrap();
    let fault = LineFault::NoResource {
        tag: "t".to_owned(),
    };
    assert_eq!(written.rejected.first().unwrap().error.fault, fault);
}

#[test]
fn timestamps_count_units() {
    let options = WriteOptions {
        precision: Precision::Second,
        ..options("host")
    };
    let read = read("m,host=h f=1 7", options).unwrap();
    assert_eq!(read[0].2, [(7_000_000_000, 1.0)]);
}

#[test]
fn bad_lines_are_left_out_and_named() {
    let check = |body: &[u8], number: usize, fault: LineFault, measures: usize| {
        let body_text = String::from_utf8_lossy(body);
        let expected = (LineError { number, fault }, measures);
        assert_eq!(first_fault(body), expected, "{body_text}");
    };
    let unparsable =
        |column: usize, cause: Cause| LineFault::Unparsable(Diagnosis { column, cause });
    check(b"x", 1, unparsable(2, Cause::NoFields), 1);
    check(b"m,host=h f=1\nx\ny", 2, unparsable(2, Cause::NoFields), 2);
    let text = "5 6".to_owned();
    check(
        b"m,host=h f=1 5 6\n",
        1,
        unparsable(14, Cause::Timestamp { text }),
        1,
    );
    check(
        b"\n# c\nm,host=h f=\"a\nb\"\nx",
        5,
        unparsable(2, Cause::NoFields),
        1,
    );
    check(
        b"m,host=h f=1\nm,host=h f=1\nm,host=\xff f=1",
        3,
        LineFault::NotUtf8,
        1,
    );
    check(b"m,host=h,a=\0 f=1,g=2", 1, LineFault::Nul, 2);
    let twice = LineFault::DuplicateTag {
        tag: "a".to_owned(),
    };
    check(b"m,host=h,a=1,a=2 f=1", 1, twice, 1);
    let early = LineFault::Time {
        units: -1,
        error: TimeError::BeforeEpoch,
    };
    check(b"m,host=h f=1 -1", 1, early, 1);
    let slash = LineFault::Resource {
        id: "a/b".to_owned(),
        error: ResourceIdError::Slash,
    };
    check(b"\nm,host=a/b f=1,g=2,h=3", 2, slash, 3);
    let no_resource = LineFault::NoResource {
        tag: "host".to_owned(),
    };
    check(b"m f=1\nm f=2", 1, no_resource, 2);
}

#[test]
fn good_lines_do_not_suffer_from_bad_ones() {
    let body =
        b"m,host=h f=1 1\nbroken\nm,host=h f=2 2\nm f=9 3\nm,host=a/b f=9 3\nm,host=h f=9 -3\n\
        m,host=h,t=\xff f=9 3\nm,host=h,t=\0 f=9 3\nm,host=h f=3 3";
    let written = parse(body, options("host")).unwrap();
    let expected = vec![(
        "h".to_owned(),
        "m.f".to_owned(),
        vec![(1, 1.0), (2, 2.0), (3, 3.0)],
    )];
    assert_eq!(metrics(&written), expected);
    assert_eq!(written.arrivals.measures, 3);
    assert_eq!(written.rejected.failures(), 6);
    assert_eq!(written.rejected.counts().count(), 6);
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
fn there_are_limits() {
    let lines = |range: std::ops::Range<i64>, line: &dyn Fn(i64) -> String| {
        let lines: Vec<String> = range.map(line).collect();
        read(&lines.join("\n"), options("host")).map(|read| read.len())
    };
    let one = |at: i64| format!("m,host=h f=1 {at}");
    assert_eq!(lines(0..10, &one), Ok(1));
    assert_eq!(lines(0..11, &one), Err(Exceeded::Points));
    let fields = |at: i64| format!("m,host=h f{at}=1 {at}");
    assert_eq!(lines(0..5, &fields), Ok(5));
    assert_eq!(lines(0..6, &fields), Err(Exceeded::Metrics));
    // A series takes memory in each of its spellings.
    let spellings = |at: i64| {
        let tags: Vec<String> = (0..6).map(|tag| format!("t{}=1", (tag + at) % 6)).collect();
        format!("m,host=h,{} f=1 {at}", tags.join(","))
    };
    assert_eq!(lines(0..5, &spellings), Ok(1));
    assert_eq!(lines(0..6, &spellings), Err(Exceeded::Metrics));
}

/// Names that can be written.
const NAME: &str = r#"[a-zA-Z ,="\\é☃#./@_]{0,5}[a-z]"#;

/// Names of which many are nearly the same as another.
const SIMILAR_NAME: &str = r"[a/_.@,=\\]{0,3}a";

/// Measurement, tags and field: what names a metric of one resource.
type Identity = (String, std::collections::BTreeMap<String, String>, String);

fn identity(name: &'static str) -> impl Strategy<Value = Identity> {
    // The tag that names the resource is another one.
    let tag = name.prop_map(|name| format!("t{name}"));
    let tags = proptest::collection::btree_map(tag, name, 0..3);
    (name.prop_map(|name| format!("m{name}")), tags, name)
}

/// Writes a line of one measure.
fn line((measurement, tags, field): &Identity, resource: &str, value: f64, at: i64) -> String {
    let print = |text: &str| Name::print(text).unwrap();
    let mut line = format!("{},host={}", print(measurement), print(resource));
    for (tag, value) in tags {
        write!(line, ",{}={}", print(tag), print(value)).unwrap();
    }
    write!(line, " {}={value:?} {at}", print(field)).unwrap();
    line
}

proptest! {
    #[test]
    fn every_measure_is_under_its_own_name(
        resource in NAME.prop_map(|name| name.replace('/', "")),
        one in identity(NAME),
        value in -1e300..1e300_f64,
        // In between, a number looks like a time of today in another unit.
        at in prop_oneof![0..10_000_000_i64, 1_000_000_000_000_000_000..i64::MAX],
    ) {
        let body = line(&one, &resource, value, at);
        let written = read(&body, options("host"));
        let Ok([(stored_resource, name, points)]) = written.as_deref() else {
            return Err(TestCaseError::fail(format!("{body}: {written:?}")));
        };
        prop_assert_eq!((stored_resource, points), (&resource, &vec![(at, value)]));
        prop_assert!(!name.contains('/'));
        let (measurement, tags, field) = &one;
        let is_plain = |text: &String| !text.contains(['\\', '/', '@', ',', '=', '.']) && !text.starts_with('_');
        if [measurement, field].into_iter().chain(tags.keys()).chain(tags.values()).all(is_plain) {
            let tags: Vec<String> = tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect();
            let separator = if tags.is_empty() { "" } else { "@" };
            prop_assert_eq!(name, &format!("{measurement}.{field}{separator}{}", tags.join(",")));
        }
    }

    #[test]
    fn two_identities_are_two_metrics(
        one in identity(SIMILAR_NAME),
        other in identity(SIMILAR_NAME),
    ) {
        let body = format!("{}\n{}", line(&one, "h", 1.0, 1), line(&other, "h", 2.0, 2));
        let read = read(&body, options("host")).unwrap();
        prop_assert_eq!(read.len(), if one == other { 1 } else { 2 }, "{:?}", read);
    }

    #[test]
    fn bad_lines_cost_only_themselves(lines in proptest::collection::vec(0..7_usize, 0..10)) {
        const BAD: [&[u8]; 6] = [
            b"x", b"m f=1", b"m,host=a/b f=1", b"m,host=h f=1 -1", b"m,host=h\xff f=1", b"m,host=h,a=1,a=2 f=1",
        ];
        let mut body = Vec::new();
        for (at, kind) in lines.iter().enumerate() {
            match BAD.get(*kind) {
                Some(bad) => body.extend_from_slice(bad),
                None => body.extend_from_slice(format!("m,host=h f=1 {at}").as_bytes()),
            }
            body.push(b'\n');
        }
        let written = parse(&body, options("host")).unwrap();
        let good = lines.iter().filter(|kind| **kind >= BAD.len()).count();
        prop_assert_eq!(written.arrivals.measures, good);
        prop_assert_eq!(written.rejected.failures(), lines.len() - good);
    }

    #[test]
    fn no_bytes_break_the_parser(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse(&body, options("host"));
    }
}

#[test]
fn timestamps_in_another_unit_are_refused() {
    let check = |precision: &str, units: i64, expected: &str| {
        let body = format!("m,host=h f=1 {units}\nm,host=h f=2 7");
        let options = WriteOptions {
            precision: Precision::from_name(precision).unwrap(),
            ..options("host")
        };
        let written = parse(body.as_bytes(), options).unwrap();
        assert_eq!(written.arrivals.measures, 1, "{body}");
        assert_eq!(written.rejected.count(Reason::WrongUnit), 1, "{body}");
        let LineFault::Unit { units: sent, wrong } = &written.rejected.first().unwrap().error.fault
        else {
            panic!("{written:?}");
        };
        assert_eq!(*sent, units);
        assert_eq!(wrong.to_string(), expected, "{body}");
    };
    check(
        "ns",
        1_767_268_800,
        "looks like seconds since 1970 (2026-01-01T12:00:00Z), but nanoseconds are expected",
    );
    check(
        "ns",
        1_767_268_800_000,
        "looks like milliseconds since 1970 (2026-01-01T12:00:00Z), but nanoseconds are expected",
    );
    check(
        "s",
        1_767_268_800_000,
        "looks like milliseconds since 1970 (2026-01-01T12:00:00Z), but seconds are expected",
    );
    check(
        "ms",
        1_767_268_800,
        "looks like seconds since 1970 (2026-01-01T12:00:00Z), but milliseconds are expected",
    );
}

#[test]
fn strings_are_counted() {
    let body = b"m,host=h f=\"a\",g=1\nm,host=h f=\"b\",g=\"c\"";
    let written = parse(body, options("host")).unwrap();
    assert_eq!(written.arrivals.measures, 1);
    assert_eq!(written.rejected.count(Reason::StringField), 3);
    assert_eq!(written.rejected.failures(), 0);
    assert!(written.rejected.first().is_none());
}
