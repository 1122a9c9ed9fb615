use super::*;

fn one(kind: AttributeKind) -> ResourceType {
    let attributes = BTreeMap::from([(
        "a".to_owned(),
        Attribute {
            kind,
            required: false,
        },
    )]);
    ResourceType::new("t", attributes).unwrap()
}

const ANY_NUMBER: AttributeKind = AttributeKind::Number {
    min: None,
    max: None,
};

#[test]
fn odd_policies_are_reported_with_their_column() {
    let check = |back_window: i64, definition: &str, methods: &str, expected: &str| {
        let error = decode_policy("low", back_window, definition, methods)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    let (definition, methods) = (
        r#"[{"granularity": 60000000000, "points": null}]"#,
        r#"["mean"]"#,
    );
    assert!(decode_policy("low", 0, definition, methods).is_ok());
    check(
        -1,
        definition,
        methods,
        "archive_policy.back_window holds -1",
    );
    check(
        0,
        "[",
        methods,
        "archive_policy.definition holds an unreadable document",
    );
    check(
        0,
        "[]",
        methods,
        "archive_policy.definition holds an impossible policy",
    );
    check(
        0,
        r#"[{"granularity": 0}]"#,
        methods,
        "archive_policy.definition holds a bad granularity",
    );
    check(
        0,
        r#"[{"granularity": 1, "points": 0}]"#,
        methods,
        "archive_policy.definition holds an impossible granularity",
    );
    check(
        0,
        definition,
        r#"["average"]"#,
        "archive_policy.aggregation_methods holds unknown methods",
    );
    check(
        0,
        definition,
        "[5]",
        "archive_policy.aggregation_methods holds an unreadable document",
    );
}

#[test]
fn odd_types_are_reported_with_their_column() {
    let check = |attributes: &str, expected: &str| {
        let error = decode_type("t".into(), attributes).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check("{", "resource_type.attributes holds an unreadable document");
    check(
        r#"{"a": {"type": "text", "required": true}}"#,
        "resource_type.attributes holds an unreadable document",
    );
    check(
        r#"{"a": {"type": "string", "required": true}}"#,
        "resource_type.attributes holds an incomplete attribute a",
    );
    check(
        r#"{"a": {"type": "number", "required": true, "min": []}}"#,
        "resource_type.attributes holds an incomplete",
    );
    check(
        r#"{"id": {"type": "bool", "required": true}}"#,
        "resource_type.attributes holds an impossible type",
    );
}

#[test]
fn every_number_comes_back() {
    let resource_type = one(ANY_NUMBER);
    for number in [
        0.0,
        -0.0,
        0.1,
        1e-320,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        5.0,
        1e17,
    ] {
        let attributes = BTreeMap::from([("a".to_owned(), Some(AttributeValue::Number(number)))]);
        let stored = encode_attributes(&resource_type, &attributes).unwrap();
        let read = decode_attributes(&resource_type, &stored, "resource.attributes").unwrap();
        let Some(AttributeValue::Number(read)) = read["a"] else {
            panic!("{stored}")
        };
        assert_eq!(read.to_bits(), number.to_bits(), "{stored}");
    }
}

#[test]
fn values_must_be_of_their_kind() {
    let check = |kind: AttributeKind, document: &str| {
        let error = decode_attributes(&one(kind), document, "resource.attributes")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("resource.attributes holds an attribute a of the wrong kind"),
            "{error}"
        );
    };
    check(ANY_NUMBER, r#"{"a": true}"#);
    check(AttributeKind::Bool, r#"{"a": 1}"#);
    check(AttributeKind::Uuid, r#"{"a": "x"}"#);
    check(AttributeKind::Datetime, r#"{"a": -1}"#);
    check(AttributeKind::Datetime, r#"{"a": 1.5}"#);
    check(
        AttributeKind::String {
            min_length: 0,
            max_length: 9,
        },
        r#"{"a": {}}"#,
    );
    let attributes = BTreeMap::from([("a".to_owned(), Some(AttributeValue::Bool(true)))]);
    let refused = encode_attributes(&one(ANY_NUMBER), &attributes);
    assert!(matches!(refused, Err(SqlError::AttributeKind { name }) if name == "a"));
}

#[test]
fn what_the_type_does_not_have_is_left_out() {
    let attributes = BTreeMap::from([
        ("b".to_owned(), Some(AttributeValue::Bool(true))),
        ("a".to_owned(), None),
    ]);
    assert_eq!(
        encode_attributes(&one(ANY_NUMBER), &attributes).unwrap(),
        "{}"
    );
    let read =
        decode_attributes(&one(ANY_NUMBER), r#"{"b": true}"#, "resource.attributes").unwrap();
    assert_eq!(read, BTreeMap::from([("a".to_owned(), None)]));
}
