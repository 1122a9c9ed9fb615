use std::collections::BTreeSet;

use super::support::{
    all, assert_matches, attached, create_policy, create_resource, every_kind, resource, second,
    values,
};
use crate::driver::{Indexer, ResourceQuery};
use crate::error::IndexerError;
use crate::model::{
    AttributeValue, Change, GENERIC, Glob, NewResource, Page, Resource, ResourceId, ResourceType,
    ResourceUpdate, SortKey,
};
use crate::policy::Visibility;
use crate::search::{Condition, Filter, SearchContext};

/// Filters that between them use every operator on every kind of column.
const FILTERS: &[&str] = &[
    "string = a",
    "string != a",
    "string < b",
    "string >= a",
    "string = null",
    "string != null",
    "not string = a",
    "not string != a",
    "not (string = a or number = 1)",
    "not (string = a and number = 1)",
    "string like \"a%\"",
    "string like \"_\"",
    "string like \"%\"",
    "string like \"[a]*?\"",
    "string like \"\\[a]\\*_\"",
    "not string like \"A%\"",
    "string in [a, B, null]",
    "not string in [a, B]",
    "string in [a, b, c, d, e, f, g, h, i, B]",
    "number = 1",
    "number = 1.5",
    "number != 1",
    "number < 1.5",
    "number > -1e300",
    "number <= \"1.5\"",
    "number in [1, 2.5, 1.5]",
    "not number = null",
    "uuid = \"F93450F2D8A54D67998502511241E7D1\"",
    "uuid > 00000000-0000-0000-0000-000000000000",
    "uuid in [f93450f2-d8a5-4d67-9985-02511241e7d1]",
    "bool = true",
    "bool != true",
    "bool < true",
    "bool in [\"False\"]",
    "datetime = 1.5",
    "datetime > \"1970-01-01T00:00:01\"",
    "datetime != 1.5",
    "datetime in [1, 1.5]",
    "started_at > 100",
    "started_at = \"1970-01-01T00:01:40\"",
    "ended_at = null",
    "ended_at < 1000",
    "not ended_at < 1000",
    "revision_start >= 1001",
    "user_id = user",
    "user_id != user",
    "project_id like \"pro%\"",
    "creator = a",
    "creator != null",
    "creator like \"%:%\"",
    "created_by_user_id = a",
    "created_by_user_id != a",
    "created_by_user_id like \"b%\"",
    "created_by_project_id = p",
    "created_by_project_id = \"\"",
    "created_by_project_id != p",
    "created_by_project_id like \"%:q\"",
    "created_by_project_id = null",
    "type = server",
    "original_resource_id in [\"original 1\", \"original 2\"]",
    "id = 00000000-0000-0000-0000-000000000001",
    "id in [00000000-0000-0000-0000-000000000001, 00000000-0000-0000-0000-000000000002]",
    "id > 00000000-0000-0000-0000-000000000003",
    "not id in [00000000-0000-0000-0000-000000000001]",
    "lifespan > 800",
    "lifespan = \"13 min 20 s\"",
    "lifespan != 800",
    "not lifespan != 800",
    "not lifespan = 800",
    "lifespan != 800 and ended_at = null",
    "not lifespan > 1 and not lifespan <= 1",
    "string = a or number = 1 and bool = true",
    "(string = a or number = 1) and bool = true",
];

fn bound(filter: &str, resource_type: &ResourceType, history: bool) -> Condition {
    let filter: Filter = filter.parse().unwrap();
    let context = SearchContext {
        resource_type,
        history,
        creator: Some("me"),
        now: second(2000),
    };
    filter.bind(&context).unwrap()
}

/// A condition on what every resource has.
pub(super) fn condition(filter: &str) -> Condition {
    bound(filter, &ResourceType::generic(), false)
}

/// Makes nine resources of the type `server` that differ in everything, with many nulls.
pub(super) async fn servers(indexer: &dyn Indexer) -> Vec<Resource> {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let uuid = "f93450f2-d8a5-4d67-9985-02511241e7d1".parse::<ResourceId>();
    let uuid = *uuid.unwrap().as_uuid();
    let mut made = Vec::new();
    for number in 0..9_u8 {
        let index = usize::from(number);
        let pick = |texts: [Option<&str>; 4]| texts[index % 4].map(ToOwned::to_owned);
        let mut given = Vec::new();
        if let Some(text) = pick([Some("a"), Some("B"), Some("[a]*?"), None]) {
            given.push(("string", AttributeValue::String(text)));
        }
        if number % 3 > 0 {
            let number = [1.0, 1.5, -2.25][index / 3];
            given.push(("number", AttributeValue::Number(number)));
        }
        if number % 2 > 0 {
            given.push(("uuid", AttributeValue::Uuid(uuid)));
        }
        if number > 2 {
            given.push(("bool", AttributeValue::Bool(number % 2 == 0)));
            let timestamp = second(i64::from(number / 4)).as_nanosecond() + 500_000_000;
            let timestamp = carbonara::Timestamp::from_nanosecond(timestamp).unwrap();
            given.push(("datetime", AttributeValue::Datetime(timestamp)));
        }
        let new = NewResource {
            id: ResourceId::from_u128(u128::from(number)),
            creator: pick([Some("a"), Some("a:p"), Some("b:p:q"), None]),
            original_resource_id: format!("original {}", number % 4),
            started_at: second(100 + i64::from(number % 3)),
            ended_at: (number % 2 == 0).then(|| second(900 + 100 * i64::from(number / 4))),
            user_id: (number % 4 == 1).then(|| "user".to_owned()),
            project_id: (number > 5).then(|| "project".to_owned()),
            attributes: values(&given),
            ..resource("server")
        };
        let now = second(1000 + i64::from(number % 3));
        made.push(indexer.create_resource(&new, now).await.unwrap());
    }
    made
}

pub(super) async fn listed(indexer: &dyn Indexer, query: &ResourceQuery) -> Vec<Resource> {
    indexer.list_resources(query).await.unwrap()
}

pub(super) fn ids(resources: &[Resource]) -> BTreeSet<ResourceId> {
    resources.iter().map(|resource| resource.id).collect()
}

/// Every operator on every kind of column selects what the definition of conditions says.
pub async fn conditions_select_what_they_mean(indexer: &dyn Indexer) {
    let made = servers(indexer).await;
    create_resource(indexer, GENERIC).await;
    for filter in FILTERS {
        let condition = bound(filter, &every_kind("server"), false);
        let mut expected = made.clone();
        expected.retain(|resource| condition.matches(resource));
        let query = ResourceQuery {
            condition: Some(condition),
            ..all("server")
        };
        assert_eq!(
            ids(&listed(indexer, &query).await),
            ids(&expected),
            "{filter}"
        );
    }
}

/// A null attribute differs from every value, and is otherwise unknown, which negation doesn't change.
pub async fn null_is_unknown_but_different(indexer: &dyn Indexer) {
    let made = servers(indexer).await;
    let check = async |filter: &str, expected: &[usize]| {
        let query = ResourceQuery {
            condition: Some(bound(filter, &every_kind("server"), false)),
            ..all("server")
        };
        let expected: BTreeSet<ResourceId> = expected.iter().map(|index| made[*index].id).collect();
        assert_eq!(ids(&listed(indexer, &query).await), expected, "{filter}");
    };
    check("number = 1", &[1, 2]).await;
    check("number != 1", &[0, 3, 4, 5, 6, 7, 8]).await;
    check("not number = 1", &[4, 5, 7, 8]).await;
    check("not number != 1", &[1, 2]).await;
    check("number = null", &[0, 3, 6]).await;
    check("not number = null", &[1, 2, 4, 5, 7, 8]).await;
    check("not (number = 1 or string = a)", &[5]).await;
    check("lifespan != 800", &[1, 2, 3, 4, 5, 6, 7, 8]).await;
    check("not lifespan != 800", &[0]).await;
    check("not lifespan = 800", &[2, 4, 6, 8]).await;
    check("lifespan > 1", &[0, 2, 4, 6, 8]).await;
    check("created_by_user_id = a", &[0, 1, 4, 5, 8]).await;
    check("created_by_project_id = \"p:q\"", &[2, 6]).await;
}

/// Patterns and values are compared exactly, whatever characters they have; a backslash takes the meaning of a wildcard away.
pub async fn patterns_mean_themselves(indexer: &dyn Indexer) {
    let texts = [
        "a", "A", "é", "a%", "a_b", "a*b", "[a]", r"a\b", "?", "", "☃☃", r"\", "%_", "^a]",
    ];
    for text in texts {
        let new = NewResource {
            user_id: Some(text.to_owned()),
            ..resource(GENERIC)
        };
        indexer.create_resource(&new, second(1000)).await.unwrap();
    }
    let check = async |operator: &str, wanted: &str, expected: &[&str]| {
        let query = ResourceQuery {
            condition: Some(condition(&format!("user_id {operator} \"{wanted}\""))),
            ..all(GENERIC)
        };
        let found = listed(indexer, &query).await;
        let found: BTreeSet<&str> = found
            .iter()
            .filter_map(|one| one.user_id.as_deref())
            .collect();
        assert_eq!(
            found,
            expected.iter().copied().collect(),
            "{operator} {wanted}"
        );
    };
    for text in texts {
        check("=", text, &[text]).await;
    }
    check("like", "a", &["a"]).await;
    check("like", "_", &["a", "A", "é", "?", r"\"]).await;
    check("like", "__", &["a%", "☃☃", "%_"]).await;
    check("like", "a%", &["a", "a%", "a_b", "a*b", r"a\b"]).await;
    check("like", "a*b", &["a*b"]).await;
    check("like", "[a]", &["[a]"]).await;
    check("like", r"a\%", &["a%"]).await;
    check("like", r"a\_b", &["a_b"]).await;
    check("like", r"a\\_", &[r"a\b"]).await;
    check("like", r"%\_%", &["a_b", "%_"]).await;
    check("like", r"\%\_", &["%_"]).await;
    check("like", r"\[\a\]", &["[a]"]).await;
    check("like", r"\*", &[]).await;
    check("like", r"\\", &[r"\"]).await;
    check("like", r"\", &[r"\"]).await;
    check("like", "^%", &["^a]"]).await;
    check("like", "%]", &["[a]", "^a]"]).await;
    check("like", "?", &["?"]).await;
    check("like", "", &[""]).await;
}

/// In history each revision is looked at by itself, with the values that it had.
pub async fn revisions_are_searched_one_by_one(indexer: &dyn Indexer) {
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let id = create_resource(indexer, "server").await.id;
    for (number, text) in [(1001, "a"), (1002, "b"), (1003, "a")] {
        let update = ResourceUpdate {
            attributes: values(&[("string", AttributeValue::String(text.into()))]),
            user_id: Change::Set(Some(text.into())),
            ..ResourceUpdate::default()
        };
        indexer
            .update_resource("server", id, &update, second(number))
            .await
            .unwrap();
    }
    let check = async |filter: &str, expected: &[(i64, Option<i64>)]| {
        let query = ResourceQuery {
            condition: Some(bound(filter, &every_kind("server"), true)),
            history: true,
            page: Page {
                sort: vec![SortKey::ascending("revision_start")],
                ..Page::first(100)
            },
            ..all("server")
        };
        let found = listed(indexer, &query).await;
        let found: Vec<(i64, Option<i64>)> = found
            .iter()
            .map(|one| {
                (
                    one.revision_start.as_second(),
                    one.revision_end.map(carbonara::Timestamp::as_second),
                )
            })
            .collect();
        assert_eq!(found, expected, "{filter}");
    };
    check("string = a", &[(1001, Some(1002)), (1003, None)]).await;
    check("string in [a]", &[(1001, Some(1002)), (1003, None)]).await;
    check("user_id = b", &[(1002, Some(1003))]).await;
    check("revision_end = null", &[(1003, None)]).await;
    check("revision = -1", &[(1003, None)]).await;
    check(
        "revision_end <= 1002",
        &[(1000, Some(1001)), (1001, Some(1002))],
    )
    .await;
    check("string = null", &[(1000, Some(1001))]).await;
}

/// Following markers visits each match once, whatever the condition is about.
pub async fn pages_of_a_search_hold_each_match_once(indexer: &dyn Indexer) {
    servers(indexer).await;
    for key in ["id", "number", "ended_at"] {
        let query = |page| ResourceQuery {
            condition: Some(bound("number != 1.5", &every_kind("server"), false)),
            page,
            ..all("server")
        };
        let sort = vec![SortKey::ascending(key)];
        let page = |limit, marker| Page {
            limit,
            marker,
            sort: sort.clone(),
        };
        let whole = listed(indexer, &query(page(100, None))).await;
        assert_eq!(whole.len(), 7);
        let mut collected: Vec<Resource> = Vec::new();
        while collected.len() < whole.len() {
            let marker = collected.last().map(|last| last.id.to_string());
            let next = listed(indexer, &query(page(2, marker))).await;
            assert!(!next.is_empty(), "{key}");
            collected.extend(next);
        }
        assert_eq!(collected, whole, "{key}");
    }
    // What doesn't match marks nothing.
    let query = ResourceQuery {
        condition: Some(condition("id = 00000000-0000-0000-0000-000000000001")),
        page: Page {
            marker: Some(ResourceId::from_u128(2).to_string()),
            ..Page::first(10)
        },
        ..all("server")
    };
    assert_matches!(
        indexer.list_resources(&query).await,
        Err(IndexerError::InvalidMarker { .. })
    );
}

/// Deleting what matches takes history and metrics along, through whatever type, and nothing else.
pub async fn matching_resources_are_deleted_entirely(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let made = servers(indexer).await;
    let spared = create_resource(indexer, GENERIC).await;
    let metric = attached("low", made[1].id, "cpu");
    let other = attached("low", made[0].id, "cpu");
    indexer
        .create_metrics(&[metric.clone(), other.clone()], &[])
        .await
        .unwrap();
    let update = ResourceUpdate {
        project_id: Change::Set(Some("new".into())),
        ..ResourceUpdate::default()
    };
    indexer
        .update_resource(GENERIC, made[1].id, &update, second(2000))
        .await
        .unwrap();
    let delete = async |resource_type: &str, condition: &Condition| {
        let everything = Visibility::Everything;
        indexer
            .delete_matching_resources(resource_type, condition, &everything)
            .await
    };
    let unknown = delete("unknown", &condition("user_id = user")).await;
    assert_matches!(unknown, Err(IndexerError::NoSuchResourceType { .. }));
    let by_attribute = bound("uuid != null", &every_kind("server"), false);
    assert_eq!(delete("server", &by_attribute).await.unwrap(), 4);
    assert_eq!(delete("server", &by_attribute).await.unwrap(), 0);
    let history = ResourceQuery {
        history: true,
        ..all(GENERIC)
    };
    let left: BTreeSet<ResourceId> = [0, 2, 4, 6, 8]
        .into_iter()
        .map(|index: usize| made[index].id)
        .chain([spared.id])
        .collect();
    assert_eq!(ids(&listed(indexer, &history).await), left);
    assert_eq!(indexer.deleted_metrics(10).await.unwrap(), [metric.id]);
    let found = indexer.metrics(&[metric.id, other.id]).await.unwrap();
    assert!(found[0].is_none() && found[1].is_some());
    let base = condition("original_resource_id like \"original%\"");
    assert_eq!(delete(GENERIC, &base).await.unwrap(), 6);
    assert_eq!(listed(indexer, &history).await, []);
}

/// Resources come with the metrics whose names fit, all when no name is asked for.
pub async fn resources_come_with_the_metrics_asked_for(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let id = create_resource(indexer, GENERIC).await.id;
    let names = ["cpu", "cpu.util", "disk.read", "Disk", "é", "[x]"];
    let metrics = names.map(|name| attached("low", id, name));
    indexer.create_metrics(&metrics, &[]).await.unwrap();
    let check = async |patterns: Option<&[&str]>, expected: &[&str]| {
        let globs = patterns.map(|patterns| patterns.iter().map(|text| Glob::new(text)).collect());
        let query = ResourceQuery {
            metric_names: globs,
            ..all(GENERIC)
        };
        let found = listed(indexer, &query).await.remove(0).metrics;
        let found: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(found, expected.iter().copied().collect(), "{patterns:?}");
    };
    check(None, &names).await;
    check(Some(&[]), &[]).await;
    check(Some(&["cpu"]), &["cpu"]).await;
    check(Some(&["cpu*"]), &["cpu", "cpu.util"]).await;
    check(Some(&["*k*", "é"]), &["disk.read", "Disk", "é"]).await;
    check(Some(&["[Dd]isk*"]), &["disk.read", "Disk"]).await;
    check(Some(&["[[]x]"]), &["[x]"]).await;
    check(
        Some(&[
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "é",
        ]),
        &["é"],
    )
    .await;
}

/// Ten thousand resources are listed in one call, ordered by an attribute.
pub async fn ten_thousand_resources_are_listed_at_once(indexer: &dyn Indexer) {
    const COUNT: u32 = 10_000;
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let create = |number: u32| async move {
        let value = AttributeValue::Number(f64::from(number * 7919 % COUNT));
        let new = NewResource {
            id: ResourceId::from_u128(u128::from(number)),
            attributes: values(&[("number", value)]),
            ..resource("server")
        };
        indexer.create_resource(&new, second(1000)).await.unwrap();
    };
    for part in (0..COUNT).collect::<Vec<u32>>().chunks(200) {
        futures::future::join_all(part.iter().map(|number| create(*number))).await;
    }
    let query = ResourceQuery {
        condition: Some(bound("number >= 1000", &every_kind("server"), false)),
        page: Page {
            sort: vec![SortKey::ascending("number")],
            ..Page::first(usize::MAX)
        },
        ..ResourceQuery::of_type("server")
    };
    let found = listed(indexer, &query).await;
    assert_eq!(found.len(), 9000);
    let numbers: Vec<Option<&AttributeValue>> = found
        .iter()
        .map(|one| one.attributes["number"].as_ref())
        .collect();
    assert_eq!(numbers[0], Some(&AttributeValue::Number(1000.0)));
    assert_eq!(numbers[8999], Some(&AttributeValue::Number(9999.0)));
}
