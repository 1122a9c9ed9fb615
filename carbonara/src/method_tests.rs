use std::collections::HashSet;

use super::*;

fn methods(names: &[&str]) -> Vec<AggregationMethod> {
    names
        .iter()
        .map(|name| name.parse().expect("a method"))
        .collect()
}

fn codes(names: &[&str]) -> Vec<u16> {
    ComponentSet::for_methods(&methods(names))
        .iter()
        .map(Component::code)
        .collect()
}

#[test]
fn every_method_reads_back_what_it_prints() {
    let all: Vec<AggregationMethod> = AggregationMethod::all().collect();
    assert_eq!(all.len(), 216);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 216);
    for method in all {
        assert_eq!(method.to_string().parse(), Ok(method));
    }
}

#[test]
fn names() {
    let check = |text: &str, expected: Option<AggregationMethod>| {
        assert_eq!(text.parse().ok(), expected, "{text}");
    };
    check("mean", Some(AggregationMethod::of_values(Statistic::Mean)));
    check("rate:std", Some(AggregationMethod::of_rate(Statistic::Std)));
    let p95 = Percentile::new(95).expect("in range");
    check(
        "95pct",
        Some(AggregationMethod::of_values(Statistic::Percentile(p95))),
    );
    for text in [
        "",
        "Mean",
        " mean",
        "rate:",
        "rate",
        "rate:rate:mean",
        "0pct",
        "100pct",
        "05pct",
        "+5pct",
        "-5pct",
        "pct",
        "1.5pct",
        "300pct",
        "95 pct",
    ] {
        check(text, None);
    }
}

#[test]
fn codes_are_stable_unique_and_ordered() {
    let mut seen = Vec::new();
    for code in 0..=u16::MAX {
        if let Some(component) = Component::from_code(code) {
            assert_eq!(component.code(), code);
            seen.push(component);
        }
    }
    assert_eq!(seen.len(), 2 * (8 + 99));
    assert!(seen.is_sorted());
    let count = Component {
        of_rate: true,
        kind: ComponentKind::Count,
    };
    assert_eq!(count.code(), 0x8001);
}

#[test]
fn methods_need_their_components() {
    assert_eq!(codes(&["mean"]), [1, 2]);
    assert_eq!(codes(&["std"]), [1, 7]);
    assert_eq!(
        codes(&["mean", "min", "max", "sum", "std", "count"]),
        [1, 2, 3, 4, 7]
    );
    assert_eq!(codes(&["last", "first"]), [5, 6]);
    assert_eq!(codes(&["95pct", "median"]), [8, 195]);
    assert_eq!(codes(&["rate:max"]), [0x8001, 0x8004]);
    assert_eq!(codes(&["rate:mean", "max"]), [4, 0x8001, 0x8002]);
    assert_eq!(codes(&["rate:count"]), [0x8001]);
    assert!(codes(&[]).is_empty());
}

#[test]
fn sets_answer_questions() {
    let set = ComponentSet::for_methods(&methods(&["std", "rate:5pct"]));
    assert!(set.has_rate() && set.has_order_statistic());
    assert!(set.answers("count".parse().expect("a method")));
    assert!(set.answers("rate:count".parse().expect("a method")));
    assert!(!set.answers("mean".parse().expect("a method")));
    let plain = ComponentSet::for_methods(&methods(&["mean"]));
    assert!(!plain.has_rate() && !plain.has_order_statistic());
    assert_eq!(plain.len(), 2);
}

#[cfg(feature = "serde")]
#[test]
fn serde_uses_the_text() {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    use serde::{Deserialize, Serialize};

    struct Serialized(AggregationMethod);

    impl fmt::Display for Serialized {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.serialize(f)
        }
    }

    for method in AggregationMethod::all() {
        let text = Serialized(method).to_string();
        assert_eq!(text, method.to_string());
        let deserializer: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
        assert_eq!(AggregationMethod::deserialize(deserializer), Ok(method));
    }
    let unknown: StrDeserializer<'_, Error> = "average".into_deserializer();
    assert!(AggregationMethod::deserialize(unknown).is_err());
}
