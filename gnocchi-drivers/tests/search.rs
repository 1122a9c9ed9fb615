//! Random searches over random resources: the database finds what the definition of conditions says.
#![cfg(feature = "sqlite")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use carbonara::Timestamp;
use gnocchi_core::driver::{Indexer, ResourceIndexer, ResourceQuery, ResourceTypeIndexer};
use gnocchi_core::model::{
    Attribute, AttributeKind, AttributeValue, NewResource, Page, Resource, ResourceId,
    ResourceType, SortKey,
};
use gnocchi_core::search::{Comparison, Condition, Filter, Scalar, SearchContext};
use gnocchi_drivers::sql::SqlIndexer;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

const NUMBERS: [f64; 6] = [-1e300, -1.5, 0.0, 1.0, 1.5, 1e300];
const TEXTS: [&str; 12] = [
    "", "a", "A", "ab", "é", "a%", "_", "[a]*?", "true", r"\", r"a\%", "^a-]",
];
const SECONDS: [f64; 3] = [1.0, 1.000_001, 2_000_000_000.0];

fn kinds() -> [(&'static str, AttributeKind); 5] {
    let text = AttributeKind::String {
        min_length: 0,
        max_length: 255,
    };
    let number = AttributeKind::Number {
        min: None,
        max: None,
    };
    [
        ("text", text),
        ("number", number),
        ("uuid", AttributeKind::Uuid),
        ("it's \"flag\"", AttributeKind::Bool),
        ("moment", AttributeKind::Datetime),
    ]
}

fn thing() -> ResourceType {
    let required = false;
    let attributes = kinds().map(|(name, kind)| (name.to_owned(), Attribute { kind, required }));
    ResourceType::new("thing", attributes.into()).unwrap()
}

fn seconds(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "all of them are small")]
    Timestamp::from_nanosecond((seconds * 1e6).round() as i64 * 1000).unwrap()
}

fn text() -> impl Strategy<Value = String> {
    select(TEXTS.to_vec()).prop_map(ToOwned::to_owned)
}

/// What may mean something in a pattern, to SQL or to the database.
fn pattern() -> impl Strategy<Value = Scalar> {
    let character = select(r"\\%%__aAé[]*?^-".chars().collect::<Vec<_>>());
    proptest::collection::vec(character, 0..6)
        .prop_map(|characters| Scalar::Text(characters.into_iter().collect()))
}

fn attribute(kind: AttributeKind) -> BoxedStrategy<AttributeValue> {
    match kind {
        AttributeKind::String { .. } => text().prop_map(AttributeValue::String).boxed(),
        AttributeKind::Number { .. } => select(NUMBERS.to_vec())
            .prop_map(AttributeValue::Number)
            .boxed(),
        AttributeKind::Uuid => (0..3_u128)
            .prop_map(|number| AttributeValue::Uuid(Uuid::from_u128(number << 100)))
            .boxed(),
        AttributeKind::Bool => any::<bool>().prop_map(AttributeValue::Bool).boxed(),
        AttributeKind::Datetime => select(SECONDS.to_vec())
            .prop_map(|at| AttributeValue::Datetime(seconds(at)))
            .boxed(),
    }
}

prop_compose! {
    fn resource()(
        id in any::<u128>(),
        creator in proptest::option::of(select(vec!["", "a", "a:p", "é:p:q", ":"])),
        original_resource_id in text(),
        started_at in select(SECONDS.to_vec()),
        life in proptest::option::of(0..3_u32),
        user_id in proptest::option::of(text()),
        project_id in proptest::option::of(text()),
        values in kinds().map(|(_, kind)| proptest::option::of(attribute(kind))),
    ) -> NewResource {
        let attributes = kinds().iter().map(|(name, _)| (*name).to_owned()).zip(values).collect();
        NewResource {
            id: ResourceId::from_u128(id),
            resource_type: "thing".into(),
            creator: creator.map(ToOwned::to_owned),
            original_resource_id,
            started_at: seconds(started_at),
            ended_at: life.map(|life| seconds(started_at + f64::from(life))),
            user_id,
            project_id,
            attributes,
            metrics: BTreeMap::new(),
        }
    }
}

/// An attribute and values that it can be compared with.
fn subject() -> impl Strategy<Value = (&'static str, BoxedStrategy<Scalar>)> {
    let texts = || text().prop_map(Scalar::Text).boxed();
    let numbers = || select(NUMBERS.to_vec()).prop_map(Scalar::Number).boxed();
    let moments = || select(SECONDS.to_vec()).prop_map(Scalar::Number).boxed();
    let lengths = select(vec![0.5, 1.0, 2.0]).prop_map(Scalar::Number).boxed();
    let uuids = (0..3_u128)
        .prop_map(|number| Scalar::Text(Uuid::from_u128(number << 100).to_string()))
        .boxed();
    select(vec![
        ("text", texts()),
        ("number", numbers()),
        ("uuid", uuids),
        (
            "it's \"flag\"",
            any::<bool>().prop_map(Scalar::Bool).boxed(),
        ),
        ("moment", moments()),
        ("user_id", texts()),
        ("project_id", texts()),
        ("creator", texts()),
        ("original_resource_id", texts()),
        ("type", texts()),
        ("started_at", moments()),
        ("ended_at", moments()),
        ("revision_start", moments()),
        ("created_by_user_id", texts()),
        ("created_by_project_id", texts()),
        ("lifespan", lengths),
    ])
}

fn comparison() -> impl Strategy<Value = Filter> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let comparisons = select(vec![
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
    ]);
    subject().prop_flat_map(move |(name, values)| {
        let attribute = name.to_owned();
        let null_or = prop_oneof![1 => Just(Scalar::Null), 5 => values.clone()];
        (
            0..4_u8,
            comparisons.clone(),
            null_or,
            proptest::collection::vec(values.clone(), 1..4),
            prop_oneof![1 => values, 2 => pattern()],
        )
            .prop_map(
                move |(form, comparison, value, values, pattern)| match form {
                    0 => Filter::In {
                        attribute: attribute.clone(),
                        values,
                    },
                    1 => Filter::Like {
                        attribute: attribute.clone(),
                        pattern,
                    },
                    _ => Filter::Compare {
                        comparison,
                        attribute: attribute.clone(),
                        value,
                    },
                },
            )
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    comparison().prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::All),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

async fn listed(indexer: &SqlIndexer, condition: &Condition, page: Page) -> Vec<Resource> {
    let query = ResourceQuery {
        condition: Some(condition.clone()),
        page,
        ..ResourceQuery::of_type("thing")
    };
    indexer.list_resources(&query).await.unwrap()
}

async fn check(resources: Vec<NewResource>, filters: Vec<Filter>) {
    let indexer = SqlIndexer::in_memory();
    indexer.upgrade().await.unwrap();
    indexer.create_resource_type(&thing()).await.unwrap();
    let mut made: BTreeMap<ResourceId, Resource> = BTreeMap::new();
    for new in resources {
        if let Entry::Vacant(free) = made.entry(new.id) {
            free.insert(indexer.create_resource(&new, seconds(1.0)).await.unwrap());
        }
    }
    let context = SearchContext {
        resource_type: &thing(),
        history: false,
        creator: Some("me"),
        now: seconds(5.0),
    };
    for filter in filters {
        // Not every operator fits every attribute.
        let Ok(condition) = filter.bind(&context) else {
            continue;
        };
        let expected: BTreeSet<ResourceId> = made
            .values()
            .filter(|resource| condition.matches(resource))
            .map(|resource| resource.id)
            .collect();
        let whole = listed(&indexer, &condition, Page::first(1000)).await;
        let found: BTreeSet<ResourceId> = whole.iter().map(|resource| resource.id).collect();
        assert_eq!(found, expected, "{filter}");
        let first = Page {
            sort: vec![SortKey::ascending("number")],
            ..Page::first(2)
        };
        let first = listed(&indexer, &condition, first).await;
        assert_eq!(first.len(), expected.len().min(2), "{filter}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_database_finds_what_conditions_mean(
        resources in proptest::collection::vec(resource(), 1..16),
        filters in proptest::collection::vec(filter(), 24),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.unwrap().block_on(check(resources, filters));
    }
}
