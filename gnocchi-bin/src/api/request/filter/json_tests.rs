use serde_json::json;

use crate::api::request::filter::json::*;

fn read(value: &Value) -> Option<Filter> {
    from_json(value, &Path::Root).unwrap()
}

/// A filter in JSON and as text are the same.
fn check(value: &Value, text: &str) {
    assert_eq!(read(value), Some(text.parse().unwrap()), "{value}");
}

#[test]
fn operators_have_many_spellings() {
    for (spellings, symbol) in [
        (&["=", "==", "eq"][..], "="),
        (&["!=", "≠", "ne"], "!="),
        (&["<", "lt"], "<"),
        (&["<=", "≤", "le"], "<="),
        (&[">", "gt"], ">"),
        (&[">=", "≥", "ge"], ">="),
    ] {
        for spelling in spellings {
            check(&json!({*spelling: {"a": 1}}), &format!("a {symbol} 1"));
        }
    }
}

#[test]
fn filters_are_nested() {
    check(
        &json!({"and": [{"≠": {"bar": 1}}, {"=": {"foo": "quote"}}]}),
        "foo=\"quote\" and bar≠1",
    );
    check(
        &json!({"not": {"∨": [{"like": {"b": "%y"}}, {"=": {"a": null}}]}}),
        "not (a=null or b like \"%y\")",
    );
    check(
        &json!({"in": {"foo": ["null", 1, 2.5, true]}}),
        "foo in [\"null\", 1, 2.5, true]",
    );
    check(&json!({"∧": [{"=": {"a": 1}}]}), "a = 1");
}

#[test]
fn what_asks_for_nothing_lets_everything_through() {
    let eq = json!({"=": {"a": 1}});
    assert_eq!(read(&json!({})), None);
    assert_eq!(read(&json!({"and": [{}]})), None);
    assert_eq!(read(&json!({"or": [{}, eq]})), None);
    check(&json!({"and": [{}, eq]}), "a = 1");
    assert_eq!(read(&json!({"not": {}})), Some(Filter::Any(Vec::new())));
}

#[test]
fn errors_name_their_place() {
    let check = |value: Value, reason: &str, detail: &[&str]| {
        let invalid = from_json(&value, &Path::Root).unwrap_err();
        assert_eq!(invalid.to_string(), reason, "{value}");
        assert_eq!(invalid.detail(), detail, "{value}");
    };
    check(json!([]), "expected a dictionary", &[]);
    check(json!("x"), "invalid value or type", &[]);
    check(
        json!({"not": null}),
        "invalid value or type for dictionary value @ data['not']",
        &["not"],
    );
    check(
        json!({"=": {"a": 1}, "<": {"a": 1}}),
        "length of value must be at most 1",
        &[],
    );
    check(
        json!({"foo": 1}),
        "not a valid value @ data['foo']",
        &["foo"],
    );
    check(
        json!({"=": 5}),
        "invalid value or type for dictionary value @ data['=']",
        &["="],
    );
    check(
        json!({"=": {"a": 1, "b": 2}}),
        "length of value must be at most 1 for dictionary value @ data['=']",
        &["="],
    );
    check(
        json!({"=": {}}),
        "length of value must be at least 1 for dictionary value @ data['=']",
        &["="],
    );
    check(
        json!({"and": {"project_id": "foobar"}}),
        "expected a list for dictionary value @ data['and']",
        &["and"],
    );
    check(
        json!({"or": []}),
        "length of value must be at least 1 for dictionary value @ data['or']",
        &["or"],
    );
    check(
        json!({"like": {"id": "fa%"}}),
        "value must not be one of ['id'] @ data['like']['id']",
        &["like", "id"],
    );
    check(
        json!({"like": {"id": ["fa%"]}}),
        "value must not be one of ['id'] @ data['like']['id']",
        &["like", "id"],
    );
    check(
        json!({"ne": {"project_id": ["x"]}}),
        "expected str for dictionary value @ data['ne']['project_id']",
        &["ne", "project_id"],
    );
    check(
        json!({"not": [{"project_id": "x"}]}),
        "expected a dictionary for dictionary value @ data['not']",
        &["not"],
    );
    check(
        json!({"!=": {"id": "a/b"}}),
        "'/' is not supported in resource id for dictionary value @ data['!=']['id']",
        &["!=", "id"],
    );
    check(
        json!({"and": [{"in": {"id": ["a", "a/b"]}}]}),
        "'/' is not supported in resource id @ data['and'][0]['in']['id'][1]",
        &["and", "0", "in", "id", "1"],
    );
    check(
        json!({"=": {"id": "x".repeat(290)}}),
        "transformable resource id >289 max allowed characters for dictionary value @ data['=']['id']",
        &["=", "id"],
    );
    check(
        json!({"in": {"id": []}}),
        "length of value must be at least 1 for dictionary value @ data['in']['id']",
        &["in", "id"],
    );
    check(
        json!({"in": {"id": "x"}}),
        "expected a list for dictionary value @ data['in']['id']",
        &["in", "id"],
    );
    check(
        json!({"and": [{"=": {"a": 1}}, {"foo": 1}]}),
        "not a valid value @ data['and'][1]['foo']",
        &["and", "1", "foo"],
    );
}
