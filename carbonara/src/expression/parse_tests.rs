use super::super::functions::{BinaryFunction, UnaryFunction};
use super::*;

fn parse(text: &str) -> Result<Expression, ParseError> {
    text.parse()
}

fn metric(name: &str) -> Expression {
    Expression::Metric(vec![Reference::new(name, "mean")])
}

fn word(text: &str) -> Item {
    Item::Word(text.to_owned())
}

/// Fails unless the text is read and printed as `expected`, and that is read as the same.
#[track_caller]
fn check(text: &str, expected: &str) {
    let expression = parse(text).expect("an expression");
    assert_eq!(expression.to_string(), expected);
    assert_eq!(parse(expected), Ok(expression));
}

#[track_caller]
fn refuse(text: &str, name: &str, reason: InvalidOperation, column: usize) {
    let error = parse(text).expect_err("no expression");
    let name = name.to_owned();
    assert_eq!(
        error.kind,
        ParseErrorKind::InvalidOperation { name, reason }
    );
    assert_eq!(
        error.place.map(|place| place.column),
        Some(column),
        "{error}"
    );
}

#[test]
fn each_operation() {
    check("(metric a mean)", "(metric a mean)");
    check("(metric (a mean))", "(metric a mean)");
    check("(metric (a mean)(b what?))", "(metric (a mean) (b what?))");
    check("(+ (metric a mean) 2)", "(+ (metric a mean) 2.0)");
    check("(÷ -1e3 (metric a mean))", "(/ -1000.0 (metric a mean))");
    check("(≠ (metric a mean) inf)", "(!= (metric a mean) inf)");
    check(
        "(absolute (neg (metric a mean)))",
        "(abs (neg (metric a mean)))",
    );
    check("(clip (metric a mean) 1)", "(clip (metric a mean) 1.0)");
    check(
        "(clip (metric a mean) 1 2)",
        "(clip (metric a mean) 1.0 2.0)",
    );
    check(
        "(clip_min (metric a mean) 1)",
        "(clip_min (metric a mean) 1.0)",
    );
    check(
        "(rateofchange (metric a mean))",
        "(rateofchange (metric a mean))",
    );
    check(
        "(rateofchangesec (metric a mean))",
        "(rateofchangesec (metric a mean))",
    );
    check(
        "(aggregate rate:var (metric a mean))",
        "(aggregate rate:var (metric a mean))",
    );
    check(
        "(rolling mean 2 (metric a mean))",
        "(rolling mean 2 (metric a mean))",
    );
    check(
        "(resample 95pct 60.0 (metric a mean))",
        "(resample 95pct 60 (metric a mean))",
    );
    check(
        "(resample rate:var 0.5 (metric a mean))",
        "(resample rate:var 0.5 (metric a mean))",
    );
    check(
        "(resample mean M (metric a mean))",
        "(resample mean M (metric a mean))",
    );
    check(
        "(resample mean D (metric a mean))",
        "(resample mean D (metric a mean))",
    );
    check(
        "(aggregate mean (metric a mean) (metric (b max) (a mean)))",
        "(aggregate mean (metric (a mean) (b max) (a mean)))",
    );
    check(
        "(aggregate mean (metric a mean) (abs (metric b max)) (metric c mean))",
        "(aggregate mean (metric a mean) (abs (metric b max)) (metric c mean))",
    );
    check("(+ 1 2) trailing )(", "(+ 1.0 2.0)");
}

#[test]
fn lists_give_the_same_as_text() {
    let list = Item::List(vec![
        word("rolling"),
        word("max"),
        Item::Number(3.9),
        Item::List(vec![
            word("+"),
            Item::List(vec![word("metric"), word("a b"), word("mean")]),
            word("2"),
        ]),
    ]);
    let found = Grammar::default().expression(&list);
    let sum = Expression::Binary(
        BinaryFunction::Add,
        Box::new(metric("a b")),
        Box::new(Expression::Number(2.0)),
    );
    let expected = Expression::Rolling {
        method: "max".parse().expect("a method"),
        window: NonZeroUsize::new(3).expect("not zero"),
        of: Box::new(sum),
    };
    assert_eq!(found, Ok(expected));
}

#[test]
fn the_adapter_reads_spans() {
    let grammar = Grammar {
        read_timespan: |text| match text {
            "2min" | "120.0" => Timespan::from_second(120).ok(),
            _ => None,
        },
    };
    let by_text = grammar.parse("(resample mean 2min (metric a mean))");
    let list = Item::List(vec![
        word("resample"),
        word("mean"),
        Item::Number(120.0),
        Item::List(vec![word("metric"), word("a"), word("mean")]),
    ]);
    assert_eq!(by_text, grammar.expression(&list));
    assert!(by_text.is_ok());
    assert!(grammar.parse("(resample mean 7 (metric a mean))").is_err());
}

#[test]
fn the_whole_must_be_an_operation() {
    let kind = |item: &Item| {
        Grammar::default()
            .expression(item)
            .expect_err("no list")
            .kind
    };
    assert_eq!(kind(&Item::List(vec![])), ParseErrorKind::Empty);
    assert_eq!(
        kind(&Item::List(vec![word("abs")])),
        ParseErrorKind::NoArgument
    );
    let nested = Item::List(vec![Item::List(vec![word("abs"), word("2")])]);
    assert_eq!(kind(&nested), ParseErrorKind::NoArgument);
    for (item, found) in [
        (Item::Other("dict"), "dict"),
        (Item::Number(1.0), "float"),
        (word("x"), "str"),
    ] {
        assert_eq!(kind(&item), ParseErrorKind::NotAList { found });
    }
    let error = parse("()").expect_err("empty");
    assert_eq!(error.kind, ParseErrorKind::Empty);
    assert_eq!(
        error.to_string(),
        "operation is empty (at char 0), (line:1, col:1)"
    );
}

#[test]
fn errors_name_the_outermost_operation_and_the_innermost_place() {
    use InvalidOperation as Why;
    refuse(
        "(notexist (abs (metric a mean)))",
        "notexist",
        Why::UnknownName,
        2,
    );
    refuse("(+ (foo 1) 2)", "+", Why::UnknownName, 5);
    refuse("(+ () 2)", "+", Why::UnknownName, 4);
    refuse("(+ (1 2) 2)", "+", Why::UnknownName, 5);
    refuse("((a) 2)", "(a)", Why::UnknownName, 1);
    refuse("(1 2)", "1", Why::UnknownName, 2);
    refuse("(+ 1 2 3)", "+", Why::ArgumentCount, 1);
    refuse("(abs 1 2)", "abs", Why::ArgumentCount, 1);
    refuse("(clip 1 2 3 4)", "clip", Why::ArgumentCount, 1);
    refuse("(+ (metric) 2)", "+", Why::ArgumentCount, 4);
    refuse("(abs \"3\")", "abs", Why::NotAnOperand, 6);
    refuse(
        "(rolling blah 2 (metric a mean))",
        "rolling",
        Why::UnknownAggregation,
        10,
    );
    refuse(
        "(rolling mean (metric a mean))",
        "rolling",
        Why::ArgumentCount,
        1,
    );
    refuse(
        "(rolling mean 0.5 (metric a mean))",
        "rolling",
        Why::Window,
        15,
    );
    refuse(
        "(rolling mean 2.7 (metric a mean))",
        "rolling",
        Why::Window,
        15,
    );
    refuse(
        "(rolling mean nan (metric a mean))",
        "rolling",
        Why::Window,
        15,
    );
    refuse(
        "(aggregate last (metric a mean))",
        "aggregate",
        Why::UnknownAggregation,
        12,
    );
    refuse("(aggregate mean)", "aggregate", Why::ArgumentCount, 1);
    refuse(
        "(aggregate mean (metric a mean) foo)",
        "aggregate",
        Why::NotAnOperand,
        33,
    );
    refuse("(neg (resample mean invalid 1))", "neg", Why::Timespan, 21);
    refuse(
        "(resample mean 0 (metric a mean))",
        "resample",
        Why::Timespan,
        16,
    );
    refuse(
        "(resample rate:last 60 (metric a mean))",
        "resample",
        Why::UnknownAggregation,
        11,
    );
    let list = Item::List(vec![word("abs"), Item::Other("NoneType")]);
    let error = Grammar::default().expression(&list).expect_err("null");
    assert_eq!(error.path, [1]);
    assert_eq!(
        error.to_string(),
        "'abs' operation invalid: neither an operation nor a number (at [1])"
    );
}

#[test]
fn malformed_references() {
    for (text, expected) in [
        ("(metric a)", 0),
        ("(metric a mean x)", 0),
        ("(metric (a) (b mean))", 0),
        ("(metric (a mean) b)", 1),
        ("(+ (metric (a mean) (b (c))) 2)", 1),
        ("(abs (metric (a mean) ()))", 1),
    ] {
        let error = parse(text).expect_err("malformed");
        assert_eq!(
            error.kind,
            ParseErrorKind::MalformedReference { index: expected },
            "{text}"
        );
    }
    let list = Item::List(vec![word("metric"), Item::Number(3.0), word("mean")]);
    let error = Grammar::default().expression(&list).expect_err("malformed");
    assert_eq!(error.kind, ParseErrorKind::MalformedReference { index: 0 });
}

#[test]
fn size_is_limited() {
    let nested = |depth: usize| "(abs ".repeat(depth) + "1" + &")".repeat(depth);
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
    let mut item = Item::Number(1.0);
    for _ in 0..=DEPTH_MAX {
        item = Item::List(vec![word("abs"), item]);
    }
    let error = Grammar::default().expression(&item).expect_err("too deep");
    let name = "abs".to_owned();
    let reason = InvalidOperation::TooDeep;
    assert_eq!(
        error.kind,
        ParseErrorKind::InvalidOperation { name, reason }
    );

    // A balanced tree of 1023 operations.
    let tree = (0..10).fold("1".to_owned(), |tree, _| format!("(+ {tree} {tree})"));
    let error = parse(&tree).expect_err("too many");
    let name = "+".to_owned();
    let reason = InvalidOperation::TooManyOperations;
    assert_eq!(
        error.kind,
        ParseErrorKind::InvalidOperation { name, reason }
    );
}

#[test]
fn references_are_distinct_and_in_order() {
    let expression =
        parse("(+ (metric (b max) (a mean) (b max)) (clip (metric a mean) 1 (metric c x)))")
            .expect("an expression");
    let references: Vec<String> = expression
        .references()
        .iter()
        .map(|reference| format!("{} {}", reference.name, reference.method))
        .collect();
    assert_eq!(references, ["b max", "a mean", "c x"]);
    let numbers = Expression::Unary(UnaryFunction::Absolute, Box::new(Expression::Number(1.0)));
    assert!(numbers.references().is_empty());
}

#[test]
fn references_can_be_renamed() {
    let mut expression =
        parse("(clip (metric A mean) (neg (metric (A mean) (B mean))) (metric a max))")
            .expect("an expression");
    expression.for_each_reference(|reference| reference.name = reference.name.to_lowercase());
    assert_eq!(
        expression.to_string(),
        "(clip (metric a mean) (neg (metric (a mean) (b mean))) (metric a max))"
    );
    assert_eq!(expression.references().len(), 3);
}
