use super::*;

fn place(offset: usize, line: usize, column: usize) -> TextPlace {
    TextPlace {
        offset,
        line,
        column,
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let item = Item::parse(text).expect("a list");
    assert_eq!(item.to_string(), expected);
}

#[track_caller]
fn refuse(text: &str, why: Unreadable, at: TextPlace) {
    let error = Item::parse(text).expect_err("no list");
    assert_eq!(error.kind, ParseErrorKind::Unreadable(why));
    assert_eq!(error.place, Some(at));
}

#[test]
fn lists_of_words() {
    check("()", "()");
    check("  ( )", "()");
    check("(a(b)c)", "(a (b) c)");
    check("(a\n\t(b  1.5 ≠)) (trailing", "(a (b 1.5 ≠))");
    check("(\"a b\")", "(\"a b\")");
}

#[test]
fn errors_have_a_place() {
    refuse("", Unreadable::NoOpening, place(0, 1, 1));
    refuse("abs", Unreadable::NoOpening, place(0, 1, 1));
    refuse("  )", Unreadable::NoOpening, place(2, 1, 3));
    refuse("(metroc foo bar", Unreadable::NoClosing, place(15, 1, 16));
    refuse("(≠\n(é ", Unreadable::NoClosing, place(9, 2, 4));
    let error = Item::parse("(metroc foo bar").expect_err("no list");
    assert_eq!(
        error.to_string(),
        "expected ')', found end of text (at char 15), (line:1, col:16)"
    );
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| "(".repeat(depth) + &")".repeat(depth);
    assert!(Item::parse(&nested(DEPTH_MAX)).is_ok());
    let at = place(DEPTH_MAX, 1, DEPTH_MAX + 1);
    refuse(&nested(DEPTH_MAX + 1), Unreadable::TooDeep, at);
    refuse(&"(".repeat(1_000_000), Unreadable::TooDeep, at);
}

#[test]
fn places_of_items() {
    let text = "(a (b c)\n () d)";
    assert_eq!(place_of(text, &[]), place(0, 1, 1));
    assert_eq!(place_of(text, &[0]), place(1, 1, 2));
    assert_eq!(place_of(text, &[1]), place(3, 1, 4));
    assert_eq!(place_of(text, &[1, 1]), place(6, 1, 7));
    assert_eq!(place_of(text, &[2]), place(10, 2, 2));
    assert_eq!(place_of(text, &[3]), place(13, 2, 5));
    assert_eq!(place_of(text, &[9]), place(15, 2, 7));
}
