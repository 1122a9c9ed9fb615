use std::collections::BTreeSet;

use uuid::Uuid;

use super::support::{
    all, assert_matches, create_metric, create_policy, create_resource, every_kind, history,
    resource, second, values,
};
use crate::driver::{Indexer, MetricFilter, ResourceQuery};
use crate::error::IndexerError;
use crate::model::{
    AttributeValue, Change, GENERIC, MetricId, MetricStatus, NewMetric, NewResource, NullOrder,
    Page, Resource, ResourceId, ResourceUpdate, SortDirection, SortKey,
};

/// Calls `check` for each key, direction and null order, alone and before a second key.
async fn for_each_order(keys: &[&str], check: impl AsyncFn(Vec<SortKey>)) {
    for key in keys {
        for direction in [SortDirection::Ascending, SortDirection::Descending] {
            for nulls in [NullOrder::First, NullOrder::Last] {
                let sort = SortKey {
                    key: (*key).into(),
                    direction,
                    nulls,
                };
                check(vec![sort.clone()]).await;
                let second = SortKey {
                    key: keys[keys.len() / 2].into(),
                    direction: SortDirection::Descending,
                    nulls: NullOrder::Last,
                };
                check(vec![sort, second]).await;
            }
        }
    }
}

/// Pages through a listing with each limit and checks that its items come as they do in one page.
async fn check_pages<T: PartialEq + std::fmt::Debug>(
    order: &[SortKey],
    list: impl AsyncFn(Page) -> Vec<T>,
    marker: impl Fn(&T) -> String,
) -> Vec<T> {
    let page = |limit, marker| Page {
        limit,
        marker,
        sort: order.to_vec(),
    };
    let whole = list(page(1000, None)).await;
    let markers: BTreeSet<String> = whole.iter().map(&marker).collect();
    assert_eq!(
        markers.len(),
        whole.len(),
        "an item occurs twice in {order:?}"
    );
    for limit in 1..=3 {
        let mut collected: Vec<T> = Vec::new();
        loop {
            let next = list(page(limit, collected.last().map(&marker))).await;
            assert!(next.len() <= limit, "{order:?}");
            if next.is_empty() {
                break;
            }
            collected.extend(next);
            assert!(
                collected.len() <= whole.len(),
                "{order:?} with limit {limit} goes round in circles"
            );
        }
        assert_eq!(collected, whole, "{order:?} with limit {limit}");
    }
    whole
}

/// Checks the null order and the direction of the first key.
fn check_order<T, K: PartialOrd + std::fmt::Debug>(
    items: &[T],
    sort: &SortKey,
    key: impl Fn(&T) -> Option<K>,
) {
    let keys: Vec<Option<K>> = items.iter().map(key).collect();
    let nulls = keys.iter().filter(|key| key.is_none()).count();
    let (null_part, values) = match sort.nulls {
        NullOrder::First => keys.split_at(nulls),
        NullOrder::Last => {
            let (values, null_part) = keys.split_at(keys.len() - nulls);
            (null_part, values)
        }
    };
    assert!(
        null_part.iter().all(Option::is_none),
        "nulls are scattered over {sort:?}: {keys:?}"
    );
    let sorted = match sort.direction {
        SortDirection::Ascending => values.is_sorted(),
        SortDirection::Descending => values.is_sorted_by(|a, b| a >= b),
    };
    assert!(sorted, "{sort:?}: {keys:?}");
}

/// Following markers visits every metric once, for every sort key.
pub async fn pages_of_metrics_hold_each_metric_once(indexer: &dyn Indexer) {
    for name in ["low", "high"] {
        create_policy(indexer, name).await;
    }
    let resource = create_resource(indexer, GENERIC).await.id;
    let text = |text: &str| Some(text.to_owned());
    let described = [
        NewMetric::new(text("me"), "low", text("b"), None, Some(resource)),
        NewMetric::new(None, "low", None, text("%"), None),
        NewMetric::new(text("you"), "high", text("B"), text("%"), None),
        NewMetric::new(text("me"), "high", None, None, None),
        NewMetric::new(text("me"), "low", text("é"), text("B"), Some(resource)),
        NewMetric::new(text("me"), "low", text("b"), None, None),
        NewMetric::new(None, "low", None, None, None),
    ]
    .map(Result::unwrap);
    indexer.create_metrics(&described, &[]).await.unwrap();
    let keys = [
        "id",
        "name",
        "unit",
        "creator",
        "archive_policy_name",
        "resource_id",
        "status",
    ];
    for_each_order(&keys, async |order| {
        let list = async |page: Page| {
            indexer
                .list_metrics(&MetricFilter::default(), &page)
                .await
                .unwrap()
        };
        let metrics = check_pages(&order, list, |metric| metric.id.to_string()).await;
        assert_eq!(metrics.len(), described.len());
        check_order(&metrics, &order[0], |metric| match order[0].key.as_str() {
            "id" => Some(metric.id.to_string()),
            "name" => metric.name.clone(),
            "unit" => metric.unit.clone(),
            "creator" => metric.creator.clone(),
            "archive_policy_name" => Some(metric.archive_policy.name().to_owned()),
            "resource_id" => metric.resource_id.map(|id| id.to_string()),
            _ => Some(String::new()),
        });
    })
    .await;
    let mine = MetricFilter {
        creators: vec!["me".into()],
        ..Default::default()
    };
    let list = async |page: Page| indexer.list_metrics(&mine, &page).await.unwrap();
    assert_eq!(
        check_pages(&[], list, |metric| metric.id.to_string())
            .await
            .len(),
        4
    );
}

fn base_key(resource: &Resource, key: &str) -> Option<String> {
    let timestamp = |timestamp: carbonara::Timestamp| format!("{:020}", timestamp.as_nanosecond());
    match key {
        "id" => Some(resource.id.to_string()),
        "type" => Some(resource.resource_type.clone()),
        "creator" => resource.creator.clone(),
        "original_resource_id" => Some(resource.original_resource_id.clone()),
        "started_at" => Some(timestamp(resource.started_at)),
        "ended_at" => resource.ended_at.map(timestamp),
        "revision_start" => Some(timestamp(resource.revision_start)),
        "revision_end" => resource.revision_end.map(timestamp),
        "revision" => Some(format!("{:020}", resource.revision.unwrap_or(-1) + 1)),
        "user_id" => resource.user_id.clone(),
        "project_id" => resource.project_id.clone(),
        other => panic!("{other} is no sort key of every resource"),
    }
}

const BASE_KEYS: [&str; 9] = [
    "id",
    "type",
    "creator",
    "original_resource_id",
    "started_at",
    "ended_at",
    "revision_start",
    "user_id",
    "project_id",
];

/// Makes resources of two types that differ in everything, with many nulls.
async fn assorted(indexer: &dyn Indexer) -> Vec<Resource> {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let text = |given: bool, text: &str| given.then(|| text.to_owned());
    let mut resources = Vec::new();
    for number in 0..7_i64 {
        let new = NewResource {
            creator: text(
                number % 3 > 0,
                ["a", "B"][usize::try_from(number % 2).unwrap()],
            ),
            original_resource_id: format!("original {}", number % 4),
            started_at: second(100 + number % 3),
            ended_at: (number % 2 == 0).then(|| second(1000 - number / 4)),
            user_id: text(number % 4 == 1, "user"),
            project_id: text(number > 3, "project"),
            ..resource(if number % 2 == 0 { GENERIC } else { "server" })
        };
        resources.push(
            indexer
                .create_resource(&new, second(1000 + number % 2))
                .await
                .unwrap(),
        );
    }
    resources
}

/// Following markers visits every resource once, for every sort key.
pub async fn pages_of_resources_hold_each_resource_once(indexer: &dyn Indexer) {
    let resources = assorted(indexer).await;
    for_each_order(&BASE_KEYS, async |order| {
        let list = async |page| {
            indexer
                .list_resources(&ResourceQuery {
                    page,
                    ..all(GENERIC)
                })
                .await
                .unwrap()
        };
        let listed = check_pages(&order, list, |resource| resource.id.to_string()).await;
        assert_eq!(listed.len(), resources.len());
        check_order(&listed, &order[0], |resource| {
            base_key(resource, &order[0].key)
        });
    })
    .await;
}

/// Following markers visits every resource once, for attributes of every kind.
pub async fn pages_of_typed_resources_hold_each_resource_once(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let kinds = ["string", "number", "uuid", "bool", "datetime"];
    for number in 0..8_u32 {
        let mut attributes = values(&[
            (
                "string",
                AttributeValue::String(["", "a", "B", "é"][number as usize % 4].into()),
            ),
            (
                "number",
                AttributeValue::Number([-1e300, 0.1, 10.0, 9.0][number as usize % 4]),
            ),
            (
                "uuid",
                AttributeValue::Uuid(Uuid::from_u128(u128::from(number % 3) << 120)),
            ),
            ("bool", AttributeValue::Bool(number % 2 == 0)),
            (
                "datetime",
                AttributeValue::Datetime(second(i64::from(number % 3) * 1_000_000_000)),
            ),
        ]);
        if number % 3 == 0 {
            attributes.remove(kinds[number as usize % kinds.len()]);
            attributes.insert(kinds[(number as usize + 2) % kinds.len()].into(), None);
        }
        indexer
            .create_resource(
                &NewResource {
                    attributes,
                    ..resource("server")
                },
                second(1000),
            )
            .await
            .unwrap();
    }
    create_resource(indexer, GENERIC).await;
    for_each_order(&kinds, async |order| {
        let list = async |page| {
            indexer
                .list_resources(&ResourceQuery {
                    page,
                    ..all("server")
                })
                .await
                .unwrap()
        };
        let listed = check_pages(&order, list, |resource| resource.id.to_string()).await;
        assert_eq!(listed.len(), 8);
        check_order(&listed, &order[0], |resource| {
            match resource.attributes[&order[0].key].clone()? {
                AttributeValue::String(text) => Some((text, 0.0)),
                AttributeValue::Number(number) => Some((String::new(), number)),
                AttributeValue::Uuid(uuid) => Some((uuid.to_string(), 0.0)),
                AttributeValue::Bool(flag) => Some((String::new(), f64::from(u8::from(flag)))),
                AttributeValue::Datetime(timestamp) => {
                    Some((format!("{:020}", timestamp.as_nanosecond()), 0.0))
                }
            }
        });
    })
    .await;
}

/// Following markers visits every revision once, also within one resource.
pub async fn pages_of_history_hold_each_revision_once(indexer: &dyn Indexer) {
    let resources = assorted(indexer).await;
    for (number, resource) in (2000..).zip(resources.iter().chain(&resources).step_by(3)) {
        let user = format!("user {}", number % 3);
        let update = ResourceUpdate {
            user_id: Change::Set(Some(user)),
            ..Default::default()
        };
        indexer
            .update_resource(GENERIC, resource.id, &update, second(number / 2))
            .await
            .unwrap();
    }
    let marker =
        |resource: &Resource| format!("{}@{}", resource.id, resource.revision.unwrap_or(-1));
    let keys = [&BASE_KEYS[..], &["revision", "revision_end"]].concat();
    for_each_order(&keys, async |order| {
        let query = |page| ResourceQuery {
            page,
            history: true,
            ..all(GENERIC)
        };
        let list = async |page| indexer.list_resources(&query(page)).await.unwrap();
        let listed = check_pages(&order, list, marker).await;
        assert_eq!(listed.len(), resources.len() + 5);
        check_order(&listed, &order[0], |resource| {
            base_key(resource, &order[0].key)
        });
    })
    .await;
    let query = |page| ResourceQuery {
        page,
        ..history(resources[0].id)
    };
    let list = async |page| indexer.list_resources(&query(page)).await.unwrap();
    assert_eq!(check_pages(&[], list, marker).await.len(), 2);
}

/// Without an order, metrics go by id, resources by start of revision, start of life and id.
pub async fn listings_go_by_id_or_by_revision_start(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    for _ in 0..10 {
        create_metric(indexer, "low").await;
    }
    let metrics = indexer
        .list_metrics(&MetricFilter::default(), &Page::first(100))
        .await
        .unwrap();
    assert!(metrics.is_sorted_by_key(|metric| metric.id));
    assorted(indexer).await;
    let resources = indexer.list_resources(&all(GENERIC)).await.unwrap();
    assert!(resources.is_sorted_by_key(|resource| (
        resource.revision_start,
        resource.started_at,
        resource.id
    )));
}

/// Unknown sort keys and markers that name no item of the listing are refused.
pub async fn unusable_pages_are_refused(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let metric = create_metric(indexer, "low").await;
    let deleted = create_metric(indexer, "low").await;
    indexer.delete_metrics(&[deleted.id]).await.unwrap();
    let page = |marker: &str| Page {
        marker: Some(marker.into()),
        ..Page::first(10)
    };
    let sorted = |key: &str| Page {
        sort: vec![SortKey::ascending(key)],
        ..Page::first(10)
    };

    for marker in [
        "x",
        "",
        &MetricId::random().to_string(),
        &deleted.id.to_string(),
    ] {
        let refused = indexer
            .list_metrics(&MetricFilter::default(), &page(marker))
            .await;
        assert_matches!(refused, Err(IndexerError::InvalidMarker { marker: named }) if named == marker);
    }
    let filter = MetricFilter {
        status: Some(MetricStatus::Deleted),
        ..Default::default()
    };
    let refused = indexer
        .list_metrics(&filter, &page(&metric.id.to_string()))
        .await;
    assert_matches!(refused, Err(IndexerError::InvalidMarker { .. }));
    for key in [
        "",
        "Id",
        "metrics",
        "id; drop table metric",
        "archive_policy",
    ] {
        let refused = indexer
            .list_metrics(&MetricFilter::default(), &sorted(key))
            .await;
        assert_matches!(refused, Err(IndexerError::InvalidSortKey { key: named, known }) if named == key && !known.contains(&named));
    }

    let id = create_resource(indexer, GENERIC).await.id;
    let list = async |resource_type: &str, history, page| {
        let query = ResourceQuery {
            history,
            page,
            ..all(resource_type)
        };
        indexer.list_resources(&query).await
    };
    let history_marker = format!("{id}@-1");
    assert_eq!(
        list(GENERIC, true, page(&history_marker)).await.unwrap(),
        []
    );
    assert_eq!(
        list(GENERIC, false, page(&id.to_string())).await.unwrap(),
        []
    );
    let bad = [
        ("x", false),
        ("x@1", true),
        (&*id.to_string(), true),
        (&*history_marker, false),
    ];
    for (marker, history) in bad
        .into_iter()
        .chain([(&*format!("{id}@1"), true), (&*format!("{id}@x"), true)])
    {
        let refused = list(GENERIC, history, page(marker)).await;
        assert_matches!(refused, Err(IndexerError::InvalidMarker { marker: named }) if named == marker);
    }
    let refused = list("server", false, page(&id.to_string())).await;
    assert_matches!(refused, Err(IndexerError::InvalidMarker { .. }));
    let refused = list(GENERIC, false, page(&ResourceId::random().to_string())).await;
    assert_matches!(refused, Err(IndexerError::InvalidMarker { .. }));
    for (resource_type, key) in [
        (GENERIC, "string"),
        (GENERIC, "revision"),
        ("server", "revision_end"),
        ("server", "x"),
    ] {
        let refused = list(resource_type, false, sorted(key)).await;
        assert_matches!(refused, Err(IndexerError::InvalidSortKey { key: named, known }) if named == key && !known.contains(&named));
    }
    let refused = list("network", false, Page::first(10)).await;
    assert_matches!(refused, Err(IndexerError::NoSuchResourceType { name }) if name == "network");
}

/// A limit of zero gives an empty page.
pub async fn a_page_of_nothing_is_empty(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    create_metric(indexer, "low").await;
    create_resource(indexer, GENERIC).await;
    assert_eq!(
        indexer
            .list_metrics(&MetricFilter::default(), &Page::first(0))
            .await
            .unwrap(),
        []
    );
    let query = ResourceQuery {
        page: Page::first(0),
        ..all(GENERIC)
    };
    assert_eq!(indexer.list_resources(&query).await.unwrap(), []);
}
