use std::collections::BTreeMap;

use uuid::Uuid;

use super::support::{
    assert_matches, create_resource, every_kind, history, resource, second, values,
};
use crate::driver::Indexer;
use crate::error::IndexerError;
use crate::model::{
    Attribute, AttributeKind, AttributeValue, GENERIC, NewResource, Resource, ResourceType,
    ResourceTypeChange, ResourceUpdate,
};

fn text(text: &str) -> AttributeValue {
    AttributeValue::String(text.into())
}

fn text_up_to(max_length: u32) -> Attribute {
    Attribute {
        kind: AttributeKind::String {
            min_length: 0,
            max_length,
        },
        required: true,
    }
}

/// A value of each kind, under the name of its attribute in [`every_kind`].
fn a_value_of_each_kind() -> BTreeMap<String, AttributeValue> {
    let values = [
        ("string", text("✔ é \"quoted\"")),
        ("number", AttributeValue::Number(0.1)),
        ("uuid", AttributeValue::Uuid(Uuid::from_u128(7))),
        ("bool", AttributeValue::Bool(true)),
        ("datetime", AttributeValue::Datetime(second(1_507_630_210))),
    ];
    values.map(|(name, value)| (name.to_owned(), value)).into()
}

/// A resource of a type, with a past revision.
async fn with_history(
    indexer: &dyn Indexer,
    resource_type: &str,
    before: &[(&str, AttributeValue)],
    after: &[(&str, AttributeValue)],
) -> Resource {
    let new = NewResource {
        attributes: values(before),
        ..resource(resource_type)
    };
    indexer.create_resource(&new, second(1000)).await.unwrap();
    let update = ResourceUpdate {
        attributes: values(after),
        ..ResourceUpdate::default()
    };
    indexer
        .update_resource(resource_type, new.id, &update, second(2000))
        .await
        .unwrap()
}

async fn attributes_of(
    indexer: &dyn Indexer,
    resource: &Resource,
) -> Vec<BTreeMap<String, Option<AttributeValue>>> {
    let rows = indexer.list_resources(&history(resource.id)).await.unwrap();
    rows.into_iter().map(|row| row.attributes).collect()
}

/// New attributes have their fill in every row, others go from every row, the rest stays; and nothing else is touched.
pub async fn a_changed_type_changes_its_resources_and_their_history(indexer: &dyn Indexer) {
    let before = ResourceType::new(
        "server",
        BTreeMap::from([
            ("kept".into(), text_up_to(9)),
            ("gone".into(), text_up_to(9)),
        ]),
    )
    .unwrap();
    indexer.create_resource_type(&before).await.unwrap();
    indexer
        .create_resource_type(&ResourceType::new("other", before.attributes().clone()).unwrap())
        .await
        .unwrap();
    let old = [("kept", text("one")), ("gone", text("x"))];
    let changed = with_history(indexer, "server", &old, &[("kept", text("two"))]).await;
    let other = with_history(indexer, "other", &old, &[("kept", text("two"))]).await;
    let generic = create_resource(indexer, GENERIC).await;
    let others = attributes_of(indexer, &other).await;

    let mut attributes = every_kind("server").attributes().clone();
    attributes.insert(
        "unfilled".into(),
        Attribute {
            required: false,
            ..text_up_to(9)
        },
    );
    attributes.insert("kept".into(), text_up_to(9));
    let change = ResourceTypeChange::new(before, attributes, &a_value_of_each_kind()).unwrap();
    indexer.update_resource_type(&change).await.unwrap();

    assert_eq!(
        &indexer.resource_type("server").await.unwrap(),
        change.after()
    );
    let row = |kept: &str| {
        let mut row: BTreeMap<_, _> = a_value_of_each_kind()
            .into_iter()
            .map(|(name, value)| (name, Some(value)))
            .collect();
        row.insert("kept".into(), Some(text(kept)));
        row.insert("unfilled".into(), None);
        row
    };
    assert_eq!(
        attributes_of(indexer, &changed).await,
        [row("one"), row("two")]
    );
    let read = indexer.resources("server", &[changed.id]).await.unwrap();
    assert_eq!(
        read[0].as_ref().unwrap().revision_start,
        changed.revision_start
    );
    assert_eq!(attributes_of(indexer, &other).await, others);
    assert_eq!(
        indexer.resources(GENERIC, &[generic.id]).await.unwrap(),
        [Some(generic)]
    );
}

/// An optional attribute that becomes a required one keeps the values that there are.
pub async fn only_missing_values_are_filled(indexer: &dyn Indexer) {
    let before = every_kind("server");
    indexer.create_resource_type(&before).await.unwrap();
    let resource = with_history(indexer, "server", &[], &[("string", text(""))]).await;
    let mut attributes = before.attributes().clone();
    for attribute in attributes.values_mut() {
        attribute.required = true;
    }
    let change = ResourceTypeChange::new(before, attributes, &a_value_of_each_kind()).unwrap();
    indexer.update_resource_type(&change).await.unwrap();
    let rows = attributes_of(indexer, &resource).await;
    let filled = a_value_of_each_kind();
    assert!(
        filled
            .iter()
            .all(|(name, value)| rows[0][name].as_ref() == Some(value))
    );
    assert_eq!(rows[1]["string"], Some(text("")));
    assert_eq!(rows[1]["bool"], Some(AttributeValue::Bool(true)));
}

/// A change that would write too much into resources and revisions does nothing.
pub async fn a_change_that_is_too_large_is_refused(indexer: &dyn Indexer) {
    let before = ResourceType::new("server", BTreeMap::new()).unwrap();
    indexer.create_resource_type(&before).await.unwrap();
    create_resource(indexer, "server").await;
    create_resource(indexer, "server").await;
    let attributes = BTreeMap::from([("a".to_owned(), text_up_to(99))]);
    let fill = AttributeValue::String("x".repeat(99));
    let fills = BTreeMap::from([("a".to_owned(), fill)]);
    let change = ResourceTypeChange::new(before.clone(), attributes, &fills).unwrap();
    let needed = 2 * change.bytes_per_resource();
    let small = change.clone().at_most(needed - 1);
    let refused = indexer.update_resource_type(&small).await;
    assert_matches!(
        refused,
        Err(IndexerError::ResourceTypeChangeTooLarge { name, resources: 2, bytes, limit_bytes })
            if name == "server" && bytes == needed && limit_bytes == needed - 1
    );
    assert_eq!(indexer.resource_type("server").await.unwrap(), before);
    let large = change.at_most(needed);
    indexer.update_resource_type(&large).await.unwrap();
}

/// A change that was planned for what the type is not any more does nothing.
pub async fn a_change_of_an_outdated_type_is_refused(indexer: &dyn Indexer) {
    let before = every_kind("server");
    let change =
        ResourceTypeChange::new(before.clone(), BTreeMap::new(), &BTreeMap::new()).unwrap();
    let absent = indexer.update_resource_type(&change).await;
    assert_matches!(absent, Err(IndexerError::NoSuchResourceType { name }) if name == "server");
    indexer.create_resource_type(&before).await.unwrap();
    indexer.update_resource_type(&change).await.unwrap();
    let refused = indexer.update_resource_type(&change).await;
    assert_matches!(refused, Err(IndexerError::ResourceTypeChanged { name }) if name == "server");
    let current = indexer.resource_type("server").await.unwrap();
    assert!(current.attributes().is_empty());
}

/// The longest text must not be longer than what is in a resource or its history. Lengths are counted in characters.
pub async fn texts_that_would_be_too_long_keep_their_type(indexer: &dyn Indexer) {
    let attributes = |max_length| BTreeMap::from([("name".to_owned(), text_up_to(max_length))]);
    let before = ResourceType::new("server", attributes(9)).unwrap();
    indexer.create_resource_type(&before).await.unwrap();
    let resource = with_history(
        indexer,
        "server",
        &[("name", text("✔✔✔✔✔"))],
        &[("name", text("é𝄞"))],
    )
    .await;
    let fills = BTreeMap::from([("name".to_owned(), text("x"))]);
    let change = |max_length| {
        ResourceTypeChange::new(before.clone(), attributes(max_length), &fills).unwrap()
    };
    let refused = indexer.update_resource_type(&change(4)).await;
    assert_matches!(
        refused,
        Err(IndexerError::AttributeTooLong { attribute, id, max_length: 4 })
            if attribute == "name" && id == resource.id
    );
    assert_eq!(indexer.resource_type("server").await.unwrap(), before);
    indexer.update_resource_type(&change(5)).await.unwrap();
    assert_eq!(
        attributes_of(indexer, &resource).await[0]["name"],
        Some(text("✔✔✔✔✔"))
    );
}

/// Names that a query language would stumble over are names like others.
pub async fn strange_attributes_are_filled_and_removed(indexer: &dyn Indexer) {
    let names = ["a.b", "a\"b", "a'b", "a$[0]", "a\\b", "1 ✔ é"];
    let attributes: BTreeMap<String, Attribute> =
        names.map(|name| (name.to_owned(), text_up_to(9))).into();
    let fills = names.map(|name| (name.to_owned(), text("x"))).into();
    let empty = ResourceType::new("server", BTreeMap::new()).unwrap();
    indexer.create_resource_type(&empty).await.unwrap();
    let resource = create_resource(indexer, "server").await;
    let fill = ResourceTypeChange::new(empty, attributes, &fills).unwrap();
    indexer.update_resource_type(&fill).await.unwrap();
    let rows = attributes_of(indexer, &resource).await;
    assert!(rows[0].values().all(|value| *value == Some(text("x"))));
    assert_eq!(rows[0].len(), names.len());

    let shorter = names.map(|name| (name.to_owned(), text_up_to(1))).into();
    let second_change = ResourceTypeChange::new(fill.after().clone(), shorter, &fills).unwrap();
    indexer.update_resource_type(&second_change).await.unwrap();
    let remove = ResourceTypeChange::new(
        second_change.after().clone(),
        BTreeMap::new(),
        &BTreeMap::new(),
    )
    .unwrap();
    indexer.update_resource_type(&remove).await.unwrap();
    assert!(attributes_of(indexer, &resource).await[0].is_empty());
    // What is gone does not come back with the name.
    let optional = names.map(|name| {
        (
            name.to_owned(),
            Attribute {
                required: false,
                ..text_up_to(9)
            },
        )
    });
    let again =
        ResourceTypeChange::new(remove.after().clone(), optional.into(), &BTreeMap::new()).unwrap();
    indexer.update_resource_type(&again).await.unwrap();
    let rows = attributes_of(indexer, &resource).await;
    assert!(rows[0].values().all(Option::is_none));
}
