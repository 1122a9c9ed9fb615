use std::collections::BTreeMap;

use super::*;
use crate::model::Attribute;

fn server() -> ResourceType {
    let text = AttributeKind::String {
        min_length: 0,
        max_length: 255,
    };
    let number = AttributeKind::Number {
        min: None,
        max: None,
    };
    let kinds = [
        ("host", text),
        ("cpus", number),
        ("image", AttributeKind::Uuid),
        ("active", AttributeKind::Bool),
        ("launched", AttributeKind::Datetime),
    ];
    let required = true;
    let attributes = kinds.map(|(name, kind)| (name.to_owned(), Attribute { kind, required }));
    ResourceType::new("server", BTreeMap::from(attributes)).unwrap()
}

fn bind(filter: &str, history: bool) -> Result<Condition, BindError> {
    let context = SearchContext {
        resource_type: &server(),
        history,
        creator: Some("foobar"),
        now: Timestamp::from_second(10_000).unwrap(),
    };
    filter.parse::<Filter>().unwrap().bind(&context)
}

fn attribute(name: &str) -> Column {
    Column::Attribute(name.into())
}

fn check(filter: &str, column: Column, operand: Operand) {
    let comparison = Comparison::Equal;
    let expected = Condition::Compare {
        column,
        comparison,
        operand,
    };
    assert_eq!(bind(filter, false), Ok(expected), "{filter}");
}

#[test]
fn values_get_the_type_of_their_column() {
    let text = |text: &str| Operand::Text(text.into());
    let timestamp = |second| Operand::Timestamp(Timestamp::from_second(second).unwrap());
    check("host = 5", attribute("host"), text("5"));
    check("host = 5.5", attribute("host"), text("5.5"));
    check("host = true", attribute("host"), text("True"));
    check("cpus = 5", attribute("cpus"), Operand::Number(5.0));
    check("cpus = \" 5e1 \"", attribute("cpus"), Operand::Number(50.0));
    let image = Operand::Id(Uuid::from_u128(0xf934_50f2_d8a5_4d67_9985_0251_1241_e7d1));
    check(
        "image = \"{F93450F2D8A54D67998502511241E7D1}\"",
        attribute("image"),
        image,
    );
    check(
        "active = \"TRUE\"",
        attribute("active"),
        Operand::Bool(true),
    );
    check("launched = 5", attribute("launched"), timestamp(5));
    check(
        "launched = \"-1 hour\"",
        attribute("launched"),
        timestamp(6_400),
    );
    check(
        "started_at = \"1970-01-01T00:00:01.0000009\"",
        Column::StartedAt,
        timestamp(1),
    );
    check("type = server", Column::Type, text("server"));
    check(
        "created_by_project_id = p",
        Column::CreatorProject,
        text("p"),
    );
}

#[test]
fn a_name_selects_what_the_caller_has_named_so() {
    let equal = |column, operand| Condition::Compare {
        column,
        comparison: Comparison::Equal,
        operand,
    };
    let text = |text: &str| Operand::Text(text.into());
    let foo = Operand::Id(Uuid::from_u128(0x1513_f2be_cb82_593c_96bf_c62d_1e20_5742));
    let foobar = Operand::Id(Uuid::from_u128(0x2fbf_bb20_8d56_5e1e_afb9_b300_7da1_1fdf));
    let own = || equal(Column::Creator, text("foobar"));
    let named = Condition::All(vec![
        equal(Column::Id, foo.clone()),
        equal(Column::OriginalResourceId, text("foo")),
        own(),
    ]);
    assert_eq!(bind("id = foo", false), Ok(named.clone()));
    let others = Condition::Not(Box::new(named));
    assert_eq!(bind("id != foo", false), Ok(others));
    let id = "f93450f2-d8a5-4d67-9985-02511241e7d1";
    let operand = Operand::Id(id.parse().unwrap());
    check(&format!("id = \"{id}\""), Column::Id, operand.clone());
    let either = Condition::Any(vec![
        Condition::In {
            column: Column::Id,
            operands: vec![operand],
        },
        Condition::All(vec![
            Condition::In {
                column: Column::Id,
                operands: vec![foo, foobar],
            },
            Condition::In {
                column: Column::OriginalResourceId,
                operands: vec![text("foo"), text("foobar")],
            },
            own(),
        ]),
    ]);
    let filter = format!("id in [foo, \"{id}\", foobar]");
    assert_eq!(bind(&filter, false), Ok(either));
}

#[test]
fn users_of_projects_are_found_as_they_stand_in_creators() {
    let made_by = |user: &str, comparison| Condition::Compare {
        column: Column::CreatorUser,
        comparison,
        operand: Operand::Text(user.into()),
    };
    let equal = |user| made_by(user, Comparison::Equal);
    assert_eq!(bind("created_by_user_id = u", false), Ok(equal("u")));
    assert_eq!(
        bind("created_by_user_id = \"a:50%\"", false),
        Ok(Condition::Any(vec![equal("a:50%"), equal("a%3A50%25")]))
    );
    let unequal = |user| made_by(user, Comparison::NotEqual);
    assert_eq!(
        bind("created_by_user_id != \"a:b\"", false),
        Ok(Condition::All(vec![unequal("a:b"), unequal("a%3Ab")]))
    );
}

#[test]
fn null_is_tested_and_not_compared() {
    let is_null = || Condition::IsNull(attribute("host"));
    assert_eq!(bind("host = null", false), Ok(is_null()));
    assert_eq!(
        bind("host != null", false),
        Ok(Condition::Not(Box::new(is_null())))
    );
    assert_eq!(bind("host in [null]", false), Ok(is_null()));
    let of_two = Condition::In {
        column: attribute("host"),
        operands: vec![Operand::Text("a".into())],
    };
    let either = Condition::Any(vec![of_two, is_null()]);
    assert_eq!(bind("host in [a, null]", false), Ok(either));
}

#[test]
fn history_has_more_columns() {
    assert!(bind("revision = -1", true).is_ok());
    assert!(bind("revision = \"3\"", true).is_ok());
    assert!(bind("revision_end = null", true).is_ok());
    assert_eq!(bind("revision = 3.0", true), bind("revision = 3", true));
    for no_whole_number in ["1.5", "1e300", "true", "\"1.0\""] {
        let filter = format!("revision = {no_whole_number}");
        assert!(bind(&filter, true).is_err(), "{filter}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let unknown = |filter: &str, name: &str| {
        let expected = BindError::UnknownAttribute {
            resource_type: "server".into(),
            attribute: name.into(),
        };
        assert_eq!(bind(filter, false), Err(expected), "{filter}");
    };
    unknown("foo = 1", "foo");
    unknown("metrics = 1", "metrics");
    unknown("revision_end = null", "revision_end");
    unknown("host = a or not bar like x", "bar");
    let invalid = |filter: &str, value: &str, name: &str| {
        let expected = BindError::InvalidValue {
            value: value.into(),
            attribute: name.into(),
        };
        assert_eq!(bind(filter, false), Err(expected), "{filter}");
    };
    invalid("cpus = many", "many", "cpus");
    invalid("cpus = nan", "nan", "cpus");
    invalid("cpus = true", "True", "cpus");
    invalid("cpus like 1", "1", "cpus");
    invalid("cpus in [1, x]", "x", "cpus");
    invalid("image = x", "x", "image");
    invalid("active = 1", "1", "active");
    invalid("launched = \"1 hour ago\"", "1 hour ago", "launched");
    invalid("launched like \"2014%\"", "2014%", "launched");
    invalid("started_at = -5", "-5", "started_at");
    invalid("id = 5", "5", "id");
    invalid("host < null", "None", "host");
    invalid("host like null", "None", "host");
    invalid("lifespan = shenanigan", "shenanigan", "lifespan");
    invalid("lifespan > 0", "0", "lifespan");
    invalid("lifespan in [5]", "5", "lifespan");
    invalid("created_by_user_id > u", "u", "created_by_user_id");
    invalid("created_by_user_id in [u, v]", "u", "created_by_user_id");
    invalid(
        &format!("host like \"{}\"", "%".repeat(4097)),
        &"%".repeat(4097),
        "host",
    );
    // The text of a filter with such an id is refused before.
    let filter = Filter::Compare {
        comparison: Comparison::Equal,
        attribute: "id".into(),
        value: Scalar::Text("a/b".into()),
    };
    let context = SearchContext {
        resource_type: &server(),
        history: false,
        creator: None,
        now: Timestamp::EPOCH,
    };
    let expected = BindError::InvalidValue {
        value: "a/b".into(),
        attribute: "id".into(),
    };
    assert_eq!(filter.bind(&context), Err(expected));
}

#[test]
fn conditions_are_not_larger_than_databases_take() {
    let chain = |length: usize| vec!["host = a"; length].join(" or ");
    assert!(bind(&chain(PARTS_MAX - 1), false).is_ok());
    assert_eq!(bind(&chain(PARTS_MAX), false), Err(BindError::TooLarge));
    let half = format!("host in [{}]", vec!["1"; VALUES_MAX / 2 + 1].join(","));
    let half: Filter = half.parse().unwrap();
    let context = SearchContext {
        resource_type: &server(),
        history: false,
        creator: None,
        now: Timestamp::EPOCH,
    };
    assert!(half.bind(&context).is_ok());
    let both = Filter::All(vec![half.clone(), half]);
    assert_eq!(both.bind(&context), Err(BindError::TooLarge));
}
