use proptest::prelude::*;
use prost::Message;

use super::*;

#[path = "../../../tests/support/remote_write.rs"]
mod oracle;

const CONTEXT: Context = Context {
    now: Timestamp::EPOCH,
    points_max: 6,
    metrics_max: 4,
};

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> oracle::TimeSeries {
    oracle::series(labels.iter().copied(), samples)
}

fn mapped(naming: Naming, series: Vec<oracle::TimeSeries>) -> Result<Mapped, MappingError> {
    map(&oracle::message(series), naming, CONTEXT)
}

/// Resource, name and points of a metric.
type Stored<'a> = (&'a str, &'a str, Vec<(i64, f64)>);

fn stored(mapped: &Mapped) -> Vec<Stored<'_>> {
    let metrics = mapped.arrivals.metrics.iter().map(|arrival| {
        let timestamps = arrival.series.timestamps_ns().iter();
        let points = timestamps
            .map(|ns| ns / 1_000_000)
            .zip(arrival.series.values().iter().copied());
        let resource = mapped.arrivals.resources[arrival.resource].as_str();
        (resource, &*arrival.name, points.collect())
    });
    metrics.collect()
}

const UP: &[(&str, &str)] = &[
    ("__name__", "up"),
    ("instance", "localhost:9090"),
    ("job", "self"),
];

#[test]
fn job_and_instance_are_the_resource() {
    let mapped = mapped(
        Naming::NameOnly,
        vec![series(UP, &[(1000, 1.0), (2000, 0.0)])],
    )
    .unwrap();
    assert_eq!(
        stored(&mapped),
        [("self@localhost:9090", "up", vec![(1000, 1.0), (2000, 0.0)])]
    );
    let origin = Origin {
        job: "self".to_owned(),
        instance: "localhost:9090".to_owned(),
    };
    assert_eq!(mapped.origins, [origin]);
    assert_eq!(mapped.rejected, Rejected::default());
}

#[test]
fn what_a_series_does_not_say_is_none() {
    let request = vec![series(&[("__name__", "up"), ("job", "")], &[(1, 1.0)])];
    let mapped = mapped(Naming::NameOnly, request).unwrap();
    assert_eq!(stored(&mapped), [("none@none", "up", vec![(1, 1.0)])]);
}

/// The first series that is not stored, and why.
fn first(mapped: &Mapped) -> (&str, Reason) {
    let first = mapped.rejected.first().unwrap();
    assert_eq!(first.reason, first.error.reason);
    (&first.error.series, first.reason)
}

#[test]
fn the_last_series_of_a_name_wins() {
    let request = vec![
        series(&[("__name__", "cpu"), ("core", "0")], &[(1, 1.0), (2, 2.0)]),
        series(&[("__name__", "cpu"), ("core", "1")], &[(1, 3.0)]),
    ];
    let mapped = mapped(Naming::NameOnly, request.clone()).unwrap();
    assert_eq!(stored(&mapped), [("none@none", "cpu", vec![(1, 3.0)])]);
    assert_eq!(mapped.rejected.count(Reason::LabelCollapse), 2);
    let collapsed = "{__name__=\"cpu\", core=\"0\"}";
    assert_eq!(first(&mapped), (collapsed, Reason::LabelCollapse));
    assert_eq!(mapped.rejected.failures(), 0);

    let mapped = self::mapped(Naming::AllLabels, request).unwrap();
    assert_eq!(
        stored(&mapped),
        [
            ("none@none", "cpu@core=0", vec![(1, 1.0), (2, 2.0)]),
            ("none@none", "cpu@core=1", vec![(1, 3.0)]),
        ]
    );
    assert_eq!(mapped.rejected, Rejected::default());
}

#[test]
fn a_series_in_two_parts_is_one() {
    let request = vec![
        series(&[("__name__", "m"), ("a", "1")], &[(2, 2.0)]),
        // Whatever the order of its labels.
        series(&[("a", "1"), ("__name__", "m")], &[(1, 1.0)]),
    ];
    let mapped = mapped(Naming::NameOnly, request).unwrap();
    assert_eq!(
        stored(&mapped),
        [("none@none", "m", vec![(1, 1.0), (2, 2.0)])]
    );
    assert_eq!(mapped.rejected, Rejected::default());
}

#[test]
fn all_labels_name_a_metric() {
    let check = |labels: &[(&str, &str)], expected: &str| {
        let mapped = mapped(Naming::AllLabels, vec![series(labels, &[(1, 1.0)])]).unwrap();
        assert_eq!(mapped.arrivals.metrics[0].name.as_ref(), expected);
    };
    check(UP, "up");
    check(&[("__name__", "m"), ("z", "1"), ("a", "2")], "m@a=2,z=1");
    check(
        &[("__name__", "m"), ("path", "/dev/sda"), ("e", "")],
        "m@path=_dev_sda",
    );
    check(&[("__name__", "m"), ("a", "1,b=2")], r"m@a=1\,b=2");
    check(&[("__name__", "m"), ("a", r"C:\")], r"m@a=C:\\");
    check(&[("__name__", "m@a=1")], r"m\@a=1");
}

#[test]
fn slashes_and_underscores_stay_different() {
    let request = || vec![series(&[("__name__", "a/b"), ("job", "c/d")], &[(1, 1.0)])];
    let mapped = mapped(Naming::AllLabels, request()).unwrap();
    assert_eq!(stored(&mapped), [(r"c\_d@none", r"a\_b", vec![(1, 1.0)])]);
    assert_eq!(mapped.origins[0].job, "c/d");
    let mapped = self::mapped(Naming::NameOnly, request()).unwrap();
    assert_eq!(mapped.arrivals, Arrivals::default());
    assert_eq!(first(&mapped).1, Reason::SlashInName);

    let request = vec![
        series(&[("__name__", "m"), ("p", "/a")], &[(1, 1.0)]),
        series(&[("__name__", "m"), ("p", "_a")], &[(1, 2.0)]),
    ];
    let mapped = self::mapped(Naming::AllLabels, request).unwrap();
    assert_eq!(
        stored(&mapped),
        [
            ("none@none", "m@p=_a", vec![(1, 1.0)]),
            ("none@none", r"m@p=\_a", vec![(1, 2.0)]),
        ]
    );
    assert_eq!(mapped.rejected, Rejected::default());
}

#[test]
fn job_and_instance_stay_apart() {
    let id = |labels: &[(&str, &str)]| {
        let labels = [&[("__name__", "up")], labels].concat();
        let mapped = mapped(Naming::NameOnly, vec![series(&labels, &[(1, 1.0)])]).unwrap();
        mapped.arrivals.resources[0].clone()
    };
    assert_eq!(id(&[("job", "a"), ("instance", "b@c")]), "a@b@c");
    assert_eq!(id(&[("job", "a@b"), ("instance", "c")]), r"a\@b@c");
    assert_eq!(id(&[("job", "a/b"), ("instance", "c_d")]), r"a\_b@c_d");
    assert_eq!(id(&[]), "none@none");
    assert_eq!(id(&[("job", "none")]), r"\none@none");
    let long = "a".repeat(300);
    let shortened = id(&[("job", &long), ("instance", "b")]);
    assert_eq!(shortened.chars().count(), 289);
    assert_ne!(shortened, id(&[("job", &long), ("instance", "c")]));
}

#[test]
fn samples_that_cannot_be_stored_are_counted() {
    let stale = f64::from_bits(STALE_MARKER_BITS);
    let samples = [
        (1, 1.0),
        (2, stale),
        (-1, 1.0),
        (i64::MAX, 1.0),
        (1_767_268_800, 1.0),
        (3, f64::NAN),
    ];
    let mapped = mapped(Naming::AllLabels, vec![series(UP, &samples)]).unwrap();
    assert_eq!(stored(&mapped)[0].2.len(), 2);
    let counts: Vec<_> = mapped.rejected.counts().collect();
    let expected = [
        (Reason::StaleMarker, 1),
        (Reason::BeforeEpoch, 1),
        (Reason::OutOfRange, 1),
        (Reason::WrongUnit, 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!(first(&mapped).1, Reason::BeforeEpoch);
    assert_eq!(mapped.rejected.failures(), 3);
    assert_eq!(mapped.arrivals.measures, 2);
}

#[test]
fn series_that_cannot_be_stored_are_counted() {
    let long = "é".repeat(513);
    let fits = "é".repeat(512);
    let two = [(1, 1.0), (2, 1.0)];
    let many: Vec<String> = (0..1001).map(|index| format!("l{index}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "x")).collect();
    let request = vec![
        series(UP, &[(1, 1.0)]),
        series(&[("job", "a")], &two),
        series(&[("__name__", "m"), ("a", "1"), ("a", "2")], &two),
        series(&[("__name__", "m"), ("a", "\0")], &[(1, 1.0)]),
        series(&[("__name__", "m"), ("job", "\0")], &[(1, 1.0)]),
        series(&many, &[(1, 1.0)]),
        series(&[("__name__", "m"), ("job", &long)], &[(1, 1.0)]),
        oracle::TimeSeries {
            histograms: vec![Vec::new(); 3],
            ..series(UP, &[])
        },
        series(
            &[("__name__", "m"), ("job", &fits), ("instance", &fits)],
            &[(1, 1.0)],
        ),
    ];
    let mapped = mapped(Naming::AllLabels, request).unwrap();
    assert_eq!(stored(&mapped).len(), 2);
    assert_eq!(mapped.origins[1].job, fits);
    let counts: Vec<_> = mapped.rejected.counts().collect();
    let expected = [
        (Reason::Histogram, 3),
        (Reason::Nul, 2),
        (Reason::NoName, 2),
        (Reason::DuplicateLabel, 2),
        (Reason::TooManyLabels, 1),
        (Reason::LabelTooLong, 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!(first(&mapped), ("{job=\"a\"}", Reason::NoName));
    assert_eq!(mapped.rejected.first().unwrap().place, 2);
}

#[test]
fn a_label_that_is_no_text_costs_its_series_only() {
    let good = series(UP, &[(1, 1.0)]);
    let bad = series(&[("__name__", "m"), ("a", "xyz")], &[(1, 1.0)]);
    let request = oracle::WriteRequest {
        series: vec![bad, good],
    };
    let mut message = request.encode_to_vec();
    let at = message
        .windows(3)
        .position(|piece| piece == b"xyz")
        .unwrap();
    message[at] = 0xff;
    let mapped = map(&message, Naming::AllLabels, CONTEXT).unwrap();
    assert_eq!(stored(&mapped).len(), 1);
    assert_eq!(first(&mapped), ("{__name__=\"m\"}", Reason::NotUtf8));
}

#[test]
fn long_names_end_with_a_digest() {
    let value = "x".repeat(300);
    let name = |core: &str| {
        let labels = [("__name__", "cpu"), ("core", core), ("text", &value)];
        let mapped = mapped(Naming::AllLabels, vec![series(&labels, &[(1, 1.0)])]).unwrap();
        mapped.arrivals.metrics[0].clone()
    };
    let one = name("0");
    assert_eq!(one.name.len(), 255);
    assert!(one.name.starts_with("cpu@core=0,text=xxx"), "{}", one.name);
    let full_name = one.full_name.as_ref().map(ToString::to_string);
    assert_eq!(full_name, Some(format!("cpu@core=0,text={value}")));
    assert_ne!(one.name, name("1").name);
}

#[test]
fn histograms_alone_need_no_resource() {
    let request = vec![oracle::TimeSeries {
        histograms: vec![Vec::new(); 3],
        ..series(UP, &[])
    }];
    let mapped = mapped(Naming::AllLabels, request).unwrap();
    assert_eq!(mapped.arrivals, Arrivals::default());
    assert_eq!(mapped.origins, []);
    assert_eq!(mapped.rejected.count(Reason::Histogram), 3);
}

#[test]
fn what_is_told_of_a_series_is_limited() {
    let long = "x".repeat(1000);
    let labels = vec![("job", long.as_str()); 1000];
    let mapped = mapped(Naming::NameOnly, vec![series(&labels, &[(1, 1.0)])]).unwrap();
    let (series, _) = first(&mapped);
    assert!(series.len() < 11_000, "{}", series.len());
    assert!(series.ends_with("xx...\", ...}"), "{series}");
}

#[test]
fn a_series_without_samples_needs_no_name() {
    let mapped = mapped(Naming::NameOnly, vec![series(&[], &[])]).unwrap();
    assert_eq!(mapped, Mapped::default());
}

#[test]
fn there_are_limits() {
    let points: Vec<(i64, f64)> = (0..7).map(|at| (at, 1.0)).collect();
    let outcome = mapped(Naming::AllLabels, vec![series(UP, &points)]);
    assert_eq!(outcome, Err(MappingError::Exceeded(Exceeded::Points)));
    let one_each = |metrics: usize| {
        let names: Vec<String> = (0..metrics).map(|index| format!("m{index}")).collect();
        let series = names
            .iter()
            .map(|name| series(&[("__name__", name)], &[(1, 1.0)]));
        mapped(Naming::AllLabels, series.collect()).map(|mapped| stored(&mapped).len())
    };
    assert_eq!(one_each(4), Ok(4));
    assert_eq!(one_each(5), Err(MappingError::Exceeded(Exceeded::Metrics)));
}

#[test]
fn the_reader_agrees_with_the_oracle() {
    let request = oracle::WriteRequest {
        series: vec![
            series(UP, &[(1, -0.5), (i64::MIN, f64::INFINITY)]),
            series(&[("a", "☃")], &[]),
        ],
    };
    let message = request.encode_to_vec();
    let mut reader = WriteRequest::of(&message, 10);
    let mut read = TimeSeries::default();
    for expected in &request.series {
        assert_eq!(reader.read(&mut read), Ok(true));
        let labels = read.labels.iter().map(|label| (label.name, label.value));
        assert!(
            labels.eq(expected
                .labels
                .iter()
                .map(|label| (&*label.name, &*label.value)))
        );
        let samples = read
            .samples
            .iter()
            .map(|sample| (sample.timestamp_ms, sample.value.to_bits()));
        assert!(
            samples.eq(expected
                .samples
                .iter()
                .map(|sample| (sample.timestamp, sample.value.to_bits())))
        );
    }
    assert_eq!(reader.read(&mut read), Ok(false));
    // Both find the same cuts of it unreadable.
    for end in 0..message.len() {
        let mut reader = WriteRequest::of(&message[..end], 10);
        let ours = loop {
            match reader.read(&mut read) {
                Ok(true) => {}
                Ok(false) => break true,
                Err(_) => break false,
            }
        };
        let decoded = oracle::WriteRequest::decode(&message[..end]);
        assert_eq!(ours, decoded.is_ok(), "{end}");
    }
}

/// A set of labels of which many are nearly the same as another.
fn labels() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    let name = prop_oneof![
        Just("job"),
        Just("instance"),
        Just("a"),
        Just("a="),
        Just("b,a")
    ];
    let value = r"[a/_@,=\\]{1,4}|none|a,b=c";
    proptest::collection::btree_map(name.prop_map(str::to_owned), value, 0..4)
}

proptest! {
    #[test]
    fn two_label_sets_are_two_metrics(one in labels(), other in labels(), names in ("m[@/_]?", "m[@/_]?")) {
        let labelled = |name: &str, labels: &std::collections::BTreeMap<String, String>, value| {
            let mut all: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
            all.push(("__name__", name));
            series(&all, &[(1, value)])
        };
        let request = vec![labelled(&names.0, &one, 1.0), labelled(&names.1, &other, 2.0)];
        let mapped = mapped(Naming::AllLabels, request).unwrap();
        prop_assert_eq!(mapped.rejected.failures(), 0);
        let same = one == other && names.0 == names.1;
        prop_assert_eq!(stored(&mapped).len(), if same { 1 } else { 2 }, "{:?}", stored(&mapped));
    }
}
