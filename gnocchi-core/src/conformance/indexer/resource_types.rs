use std::collections::BTreeMap;

use super::support::{assert_matches, create_resource, every_kind};
use crate::driver::Indexer;
use crate::error::IndexerError;
use crate::model::{Attribute, AttributeKind, GENERIC, ResourceType};

/// Every part of a type survives.
pub async fn a_resource_type_comes_back_as_it_was_stored(indexer: &dyn Indexer) {
    let kinds = [
        (
            "short",
            AttributeKind::String {
                min_length: 3,
                max_length: 5,
            },
        ),
        (
            "ratio",
            AttributeKind::Number {
                min: Some(0.1.into()),
                max: Some(1e300.into()),
            },
        ),
        (
            "below",
            AttributeKind::Number {
                min: Some(f64::NEG_INFINITY.into()),
                max: Some((-0.3).into()),
            },
        ),
        (
            "written",
            AttributeKind::Number {
                min: Some(1.into()),
                max: Some(16.0.into()),
            },
        ),
        (
            "any",
            AttributeKind::Number {
                min: None,
                max: None,
            },
        ),
        ("uuid", AttributeKind::Uuid),
        ("bool", AttributeKind::Bool),
        ("datetime", AttributeKind::Datetime),
    ];
    let mut attributes = BTreeMap::new();
    for (name, kind) in kinds {
        attributes.insert(
            name.to_owned(),
            Attribute {
                kind,
                required: true,
            },
        );
        attributes.insert(
            format!("{name}-\"é\""),
            Attribute {
                kind,
                required: false,
            },
        );
    }
    for name in ["server", "✔ é 𝄞", ""] {
        let resource_type = ResourceType::new(name, attributes.clone()).unwrap();
        indexer.create_resource_type(&resource_type).await.unwrap();
        assert_eq!(indexer.resource_type(name).await.unwrap(), resource_type);
    }
    let absent = indexer.resource_type("Server").await;
    assert_matches!(absent, Err(IndexerError::NoSuchResourceType { name }) if name == "Server");
}

/// The second type of a name is refused; types are listed by the bytes of their names.
pub async fn resource_type_names_are_unique(indexer: &dyn Indexer) {
    for name in ["server", "é", "Server"] {
        indexer
            .create_resource_type(&every_kind(name))
            .await
            .unwrap();
    }
    let refused = indexer
        .create_resource_type(&ResourceType::new("server", BTreeMap::new()).unwrap())
        .await;
    assert_matches!(refused, Err(IndexerError::ResourceTypeExists { name }) if name == "server");
    let expected = [
        every_kind("Server"),
        ResourceType::generic(),
        every_kind("server"),
        every_kind("é"),
    ];
    assert_eq!(indexer.resource_types().await.unwrap(), expected);
}

/// The generic type is there from the beginning and can't be made or removed.
pub async fn the_generic_type_always_exists(indexer: &dyn Indexer) {
    assert_eq!(
        indexer.resource_types().await.unwrap(),
        [ResourceType::generic()]
    );
    let created = indexer.create_resource_type(&ResourceType::generic()).await;
    assert_matches!(created, Err(IndexerError::ResourceTypeExists { name }) if name == GENERIC);
    let deleted = indexer.delete_resource_type(GENERIC).await;
    assert_matches!(deleted, Err(IndexerError::ResourceTypeInUse { name }) if name == GENERIC);
    indexer.upgrade().await.unwrap();
    assert_eq!(
        indexer.resource_type(GENERIC).await.unwrap(),
        ResourceType::generic()
    );
}

/// A type stays as long as a resource is of it.
pub async fn a_resource_type_in_use_stays(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let resource = create_resource(indexer, "server").await;
    let refused = indexer.delete_resource_type("server").await;
    assert_matches!(refused, Err(IndexerError::ResourceTypeInUse { name }) if name == "server");
    indexer.delete_resources(&[resource.id]).await.unwrap();
    indexer.delete_resource_type("server").await.unwrap();
    let absent = indexer.delete_resource_type("server").await;
    assert_matches!(absent, Err(IndexerError::NoSuchResourceType { name }) if name == "server");
    assert_eq!(
        indexer.resource_types().await.unwrap(),
        [ResourceType::generic()]
    );
}
