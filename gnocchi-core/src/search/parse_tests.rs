use proptest::prelude::*;

use super::*;
use crate::model::ResourceIdError;
use crate::search::{Misuse, MisuseStep, Scalar};

fn compare(attribute: &str, comparison: Comparison, value: Scalar) -> Filter {
    Filter::Compare {
        comparison,
        attribute: attribute.into(),
        value,
    }
}

fn equal(attribute: &str, value: Scalar) -> Filter {
    compare(attribute, Comparison::Equal, value)
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.into())
}

fn check(source: &str, expected: &Filter) {
    let parsed: Filter = source
        .parse()
        .unwrap_or_else(|error| panic!("{source}: {error:?}"));
    assert_eq!(&parsed, expected, "{source}");
    assert_eq!(
        &parsed.to_string().parse::<Filter>().unwrap(),
        expected,
        "{parsed}"
    );
}

#[test]
fn operators_have_many_spellings() {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    for (spellings, comparison) in [
        (&["=", "eq"][..], Equal),
        (&["!=", "≠", "ne"], NotEqual),
        (&["<", "lt"], Less),
        (&["<=", "≤", "le"], LessOrEqual),
        (&[">", "gt"], Greater),
        (&[">=", "≥", "ge"], GreaterOrEqual),
    ] {
        for spelling in spellings {
            check(
                &format!("foo {spelling} 2"),
                &compare("foo", comparison, Scalar::Integer(2)),
            );
        }
    }
    check(
        "foo≥-2.5",
        &compare("foo", GreaterOrEqual, Scalar::Number(-2.5)),
    );
}

#[test]
fn values_have_their_kind() {
    let value = |source: &str, expected: Scalar| {
        check(&format!("foo = {source}"), &equal("foo", expected));
    };
    value("5", Scalar::Integer(5));
    value("+5", Scalar::Integer(5));
    value("-5.0", Scalar::Number(-5.0));
    value("1e3", Scalar::Number(1000.0));
    value(
        "12345678901234567890",
        Scalar::Number(12_345_678_901_234_567_890.0),
    );
    value("None", Scalar::Null);
    value("null", Scalar::Null);
    value("True", Scalar::Bool(true));
    value("false", Scalar::Bool(false));
    value("bar", text("bar"));
    value("truest", text("truest"));
    value("null_x", text("null_x"));
    value("'it is'", text("it is"));
    value("\"it's\"", text("it's"));
    value("\"say \"\"it's\"\"\"", text("say \"it's\""));
    value("''", text(""));
    value(
        "f93450f2-d8a5-4d67-9985-02511241e7d1",
        text("f93450f2-d8a5-4d67-9985-02511241e7d1"),
    );
    value(
        "12345678d8a54d67998502511241e7d1",
        text("12345678d8a54d67998502511241e7d1"),
    );
}

#[test]
fn words_tell_by_their_place_what_they_are() {
    check("null = 1", &equal("null", Scalar::Integer(1)));
    check("truth = and", &equal("truth", text("and")));
    check("\"a-b\" = 1", &equal("a-b", Scalar::Integer(1)));
    check("\"not\" = 1", &equal("not", Scalar::Integer(1)));
    check(
        "in in [in]",
        &Filter::In {
            attribute: "in".into(),
            values: vec![text("in")],
        },
    );
}

#[test]
fn chains_stand_from_last_to_first() {
    let [a, b, c] = [("a", 1), ("b", 2), ("c", 3)].map(|(name, n)| equal(name, Scalar::Integer(n)));
    let all = |members: &[&Filter]| Filter::All(members.iter().copied().cloned().collect());
    let any = |members: &[&Filter]| Filter::Any(members.iter().copied().cloned().collect());
    check("a=1 or b=2 or c=3", &any(&[&c, &b, &a]));
    check("a=1 or b=2 and c=3", &any(&[&all(&[&c, &b]), &a]));
    check("a=1 and b=2 or c=3", &any(&[&c, &all(&[&b, &a])]));
    check("a=1 and b=2 ∧ c=3", &all(&[&c, &all(&[&b, &a])]));
    check("a=1 ∧ b=2 and c=3", &all(&[&all(&[&c, &b]), &a]));
    check("a=1∨b=2 or c=3", &any(&[&any(&[&c, &b]), &a]));
    check("(a=1 or b=2)and c=3", &all(&[&c, &any(&[&b, &a])]));
    check(
        "not a=1 and b=2",
        &all(&[&b, &Filter::Not(Box::new(a.clone()))]),
    );
    check("not(a=1 and b=2)", &Filter::Not(Box::new(all(&[&b, &a]))));
    check(
        " not not ( a = 1 )\n",
        &Filter::Not(Box::new(Filter::Not(Box::new(a)))),
    );
}

#[test]
fn vectors_of_the_contract() {
    check(
        "foo=\"quote\" and bar≠1",
        &Filter::All(vec![
            compare("bar", Comparison::NotEqual, Scalar::Integer(1)),
            equal("foo", text("quote")),
        ]),
    );
    let like = Filter::Like {
        attribute: "b".into(),
        pattern: text("%y"),
    };
    check(
        "not (a=\"x\" or b like \"%y\")",
        &Filter::Not(Box::new(Filter::Any(vec![like, equal("a", text("x"))]))),
    );
    check(
        "foo in [\"null\",\"foo\"]",
        &Filter::In {
            attribute: "foo".into(),
            values: vec![text("null"), text("foo")],
        },
    );
    check("id = r1", &equal("id", text("r1")));
}

#[test]
fn errors_say_what_is_expected_where() {
    let check = |source: &str, wanted: &str, character: Option<char>, at: (usize, usize, usize)| {
        let Err(FilterError::Syntax {
            expected,
            found,
            position,
            line,
            column,
        }) = source.parse::<Filter>()
        else {
            panic!("{source} is read")
        };
        assert_eq!((expected.as_str(), found), (wanted, character), "{source}");
        assert_eq!((position, line, column), at, "{source}");
    };
    check("id == foobar", "a value", Some('='), (4, 1, 5));
    check("☃ = 1", "a comparison", Some('☃'), (0, 1, 1));
    check("", "a comparison", None, (0, 1, 1));
    check("foo", "an operator", None, (3, 1, 4));
    check("foo bar 3", "an operator", Some('b'), (4, 1, 5));
    check("foo =", "a value", None, (5, 1, 6));
    check("foo = 'bar", "a value", Some('\''), (6, 1, 7));
    check("≠ = abc-def", "a comparison", Some('≠'), (0, 1, 1));
    check("foo≠abc-def", "end of text", Some('-'), (7, 1, 8));
    check("foo = 5abc", "end of text", Some('a'), (7, 1, 8));
    check("foo = 5\nand bar", "an operator", None, (15, 2, 8));
    check("foo = 5 and", "a comparison", None, (11, 1, 12));
    check("foo = 5 AND bar = 6", "end of text", Some('A'), (8, 1, 9));
    check("(foo = 5", "')'", None, (8, 1, 9));
    check("foo in [1, 2", "']'", None, (12, 1, 13));
    check("foo in [1, [2]]", "']'", Some(','), (9, 1, 10));
    check(
        "foo = 1e999",
        "a number that is not that large",
        None,
        (11, 1, 12),
    );
}

#[test]
fn sense_is_checked() {
    let check = |source: &str, expected: Misuse, at: &[MisuseStep]| {
        let Err(FilterError::Misuse { misuse, path }) = source.parse::<Filter>() else {
            panic!("{source} is read")
        };
        assert_eq!(misuse, expected, "{source}");
        assert_eq!(path, at, "{source}");
    };
    let key = |key: &str| MisuseStep::Key(key.into());
    check(
        "5 = n",
        Misuse::NoName,
        &[key("="), MisuseStep::Literal("5.0".into())],
    );
    check("id in []", Misuse::EmptyList, &[key("in"), key("id")]);
    check(
        "id like 'a%'",
        Misuse::PatternOfId,
        &[key("like"), key("id")],
    );
    check("foo ≠ [bar]", Misuse::List, &[key("≠"), key("foo")]);
    check("foo in bar", Misuse::NoList, &[key("in"), key("foo")]);
    let slash = Misuse::ResourceId(ResourceIdError::Slash);
    check("id != \"a/b\"", slash.clone(), &[key("!="), key("id")]);
    check(
        "a = 1 or id in [\"a\", \"a/b\"]",
        slash,
        &[
            key("or"),
            MisuseStep::Index(0),
            key("in"),
            key("id"),
            MisuseStep::Index(1),
        ],
    );
    check(
        &format!("id eq \"{}\"", "x".repeat(290)),
        Misuse::ResourceId(ResourceIdError::TooLong),
        &[key("eq"), key("id")],
    );
    check(
        "a = 1 and not foo in bar",
        Misuse::NoList,
        &[
            key("and"),
            MisuseStep::Index(0),
            key("not"),
            key("in"),
            key("foo"),
        ],
    );
}

#[test]
fn everything_has_a_limit() {
    let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(nested(DEPTH_MAX).parse::<Filter>().is_ok());
    assert!(nested(DEPTH_MAX + 1).parse::<Filter>().is_err());
    assert!("not ".repeat(20_000).parse::<Filter>().is_err());
    assert!("(".repeat(TEXT_BYTES_MAX + 1).parse::<Filter>().is_err());
    let mixed = |depth: usize| {
        let open = "a=1 and b=2 ∧ c=3 or d=4 ∨ (".repeat(depth);
        format!("{open}a = 1{}", ")".repeat(depth))
    };
    assert!(mixed(DEPTH_MAX / 2).parse::<Filter>().is_ok());
    assert!(mixed(DEPTH_MAX).parse::<Filter>().is_err());
    let list = |length: usize| format!("a in [{}]", vec!["1"; length].join(","));
    assert!(list(TERMS_MAX - 1).parse::<Filter>().is_ok());
    assert!(list(TERMS_MAX).parse::<Filter>().is_err());
    assert!(TOO_DEEP.contains(&DEPTH_MAX.to_string()));
    assert!(TOO_MANY_TERMS.contains(&TERMS_MAX.to_string()));
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let scalar = prop_oneof![
        Just(Scalar::Null),
        any::<bool>().prop_map(Scalar::Bool),
        any::<i64>().prop_map(Scalar::Integer),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Scalar::Number),
        any::<String>().prop_map(Scalar::Text),
        "[a-f0-9 '\"-]{0,6}".prop_map(Scalar::Text),
    ];
    let name = prop_oneof!["[a-z_-]{1,4}", any::<String>(), Just("not".to_owned())];
    let comparison = prop::sample::select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ]);
    let leaf = prop_oneof![
        (comparison, name, scalar.clone()).prop_map(|(comparison, attribute, value)| {
            Filter::Compare {
                comparison,
                attribute,
                value,
            }
        }),
        ("[a-z]{3,5}", scalar.clone())
            .prop_map(|(attribute, pattern)| Filter::Like { attribute, pattern }),
        ("[a-z]{1,5}", prop::collection::vec(scalar, 1..4))
            .prop_map(|(attribute, values)| Filter::In { attribute, values }),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_the_same(filter in any_filter()) {
        prop_assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-c =<>!≠()\\[\\],'\"0-9.eE+-]{0,30}|\\PC*") {
        let _ = text.parse::<Filter>();
    }
}
