//! Lists of resources.

use gnocchi_core::driver::ResourceQuery;
use gnocchi_core::model::{CURRENT_REVISION, GENERIC, Resource, ResourceId, ResourceType, SortKey};
use gnocchi_core::search::Condition;

use super::attribute_index::{hits_max, indexed_parts, push_hits, push_probes, read_probes};
use super::conditions::Rows;
use super::listing::{
    Nullability, OrderKey, push_after, push_keys, push_limit, push_order, read_keys,
};
use super::resource_rows::{RESOURCE_COLUMNS, Types, read_page, select_resources};
use super::resource_types::no_such_type;
use crate::sql::database::Session;
use crate::sql::document::decode_type;
use crate::sql::error::SqlError;
use crate::sql::statement::{Cell, Statement, Value};

/// How many resources one statement reads; longer pages are read in parts, because the answer to a statement is one text.
const RESOURCES_PER_STATEMENT: usize = 16_384;

/// Lists resources of a type, with their attributes and metrics: two statements, unless there are very many.
pub(super) async fn list(
    session: &mut dyn Session,
    query: &ResourceQuery,
) -> Result<Vec<Resource>, SqlError> {
    list_in_parts(session, query, RESOURCES_PER_STATEMENT).await
}

async fn list_in_parts(
    session: &mut dyn Session,
    query: &ResourceQuery,
    part_max: usize,
) -> Result<Vec<Resource>, SqlError> {
    let mut listed = Vec::new();
    let mut part = query.clone();
    loop {
        part.page.limit = (query.page.limit - listed.len()).min(part_max);
        let found = list_part(session, &part).await?;
        let is_full = found.len() == part_max;
        listed.extend(found);
        match listed.last() {
            Some(last) if is_full && listed.len() < query.page.limit => {
                part.page.marker = Some(query.marker_of(last));
            }
            _ => return Ok(listed),
        }
    }
}

async fn list_part(
    session: &mut dyn Session,
    query: &ResourceQuery,
) -> Result<Vec<Resource>, SqlError> {
    let order = query.order();
    let order: Vec<OrderKey> = order
        .iter()
        .map(|sort| order_key(&*session, sort, query))
        .collect();
    let marker = query.page.marker.as_deref();
    let marked_row = marker.and_then(|marker| query.parse_marker(marker).ok());
    let nothing = query.ids.as_ref().is_some_and(Vec::is_empty);
    let prepared = if query.resource_type == GENERIC && (nothing || marked_row.is_none()) {
        query.check_sort_keys(&ResourceType::generic())?;
        Prepared::default()
    } else {
        let wanted = marked_row.filter(|_| !nothing);
        prepare(session, query, &order, wanted).await?
    };
    if marker.is_some() && prepared.marked_keys.is_none() {
        return Err(query.page.invalid_marker().into());
    }
    if nothing {
        return Ok(Vec::new());
    }
    let metric_names = query.metric_names.as_deref();
    let types = if prepared.resource_type.is_some() {
        Types::Known
    } else {
        Types::Read
    };
    let revision = "listing.revision_end, listing.revision";
    let mut statement = select_resources(&*session, revision, types, metric_names);
    // What belongs to a resource is looked up for the page only.
    statement.push(" FROM (SELECT ");
    statement.push(RESOURCE_COLUMNS);
    statement.push(if query.history {
        ", revision_end, revision"
    } else {
        ", NULL AS revision_end, -1 AS revision"
    });
    push_source(&*session, &mut statement, query, prepared.leading);
    if let Some(keys) = &prepared.marked_keys {
        statement.push(" AND ");
        push_after(&mut statement, &order, keys);
    }
    push_order(&mut statement, &order);
    push_limit(&mut statement, query.page.limit);
    statement.push(") AS listing");
    let rows = session.fetch(statement).await?;
    read_page(rows, prepared.resource_type, query.metric_names.as_ref()).await
}

/// What is known before a page is read.
#[derive(Default)]
struct Prepared<'a> {
    /// The type of all resources of the page; `None` when there may be several.
    resource_type: Option<ResourceType>,
    /// The keys of the marked row; `None` when no row is marked.
    marked_keys: Option<Vec<Option<Value>>>,
    /// The part of the condition that few resources fulfil, as the index of attributes says.
    leading: Option<&'a Condition>,
}

/// Reads the type, the keys of the marked row and how selective the condition is, with one statement.
async fn prepare<'a>(
    session: &mut dyn Session,
    query: &'a ResourceQuery,
    order: &[OrderKey],
    marked: Option<(ResourceId, Option<i64>)>,
) -> Result<Prepared<'a>, SqlError> {
    // Past revisions are not in the index.
    let condition = query.condition.as_ref().filter(|_| !query.history);
    let parts = indexed_parts(condition);
    let mut statement = Statement::new("SELECT resource_type.name, resource_type.attributes");
    let hits_max = hits_max(query.page.limit);
    push_probes(&mut statement, &query.resource_type, &parts, hits_max);
    if let Some((id, revision)) = marked {
        statement.push(", marked.* FROM resource_type LEFT JOIN (SELECT 1, ");
        push_keys(&mut statement, order);
        push_source(&*session, &mut statement, query, None);
        statement.push(" AND id = ");
        statement.push_value(*id.as_uuid());
        if query.history {
            statement.push(" AND revision = ");
            statement.push_value(revision.unwrap_or(CURRENT_REVISION));
        }
        statement.push(") AS marked ON 1 = 1");
    } else {
        statement.push(" FROM resource_type");
    }
    statement.push(" WHERE resource_type.name = ");
    statement.push_value(query.resource_type.as_str());
    let mut row = session
        .fetch(statement)
        .await?
        .pop()
        .ok_or_else(|| no_such_type(&query.resource_type))?;
    let name = row.text("resource_type.name")?;
    let attributes = row.text("resource_type.attributes")?;
    let resource_type = decode_type(name, &attributes)?;
    query.check_sort_keys(&resource_type)?;
    let leading = read_probes(&mut row, &parts, hits_max)?;
    let marked_keys = if marked.is_none() || row.cell() == Cell::Null {
        None
    } else {
        Some(read_keys(row, order)?)
    };
    Ok(Prepared {
        resource_type: (query.resource_type != GENERIC).then_some(resource_type),
        marked_keys,
        leading,
    })
}

/// Adds where resources come from, and which of them fit; first those that fulfil the `leading` part of the condition.
fn push_source(
    session: &dyn Session,
    statement: &mut Statement,
    query: &ResourceQuery,
    leading: Option<&Condition>,
) {
    if leading.is_some() {
        // A cross join is done in the order in which it is written.
        statement.push(" FROM resource_attribute AS hit CROSS JOIN resource AS listing");
    } else if query.history {
        statement.push(" FROM (SELECT ");
        statement.push(RESOURCE_COLUMNS);
        statement.push(", NULL AS revision_end, -1 AS revision FROM resource UNION ALL SELECT ");
        statement.push(RESOURCE_COLUMNS);
        statement.push(", revision_end, number AS revision FROM resource_revision) AS listing");
    } else {
        statement.push(" FROM resource AS listing");
    }
    if let Some(leading) = leading {
        statement.push(" WHERE listing.id = hit.resource_id AND ");
        push_hits(statement, &query.resource_type, leading);
    } else if query.resource_type == GENERIC {
        statement.push(" WHERE 1 = 1");
    } else {
        statement.push(" WHERE resource_type = ");
        statement.push_value(query.resource_type.as_str());
    }
    if let Some(ids) = &query.ids
        && !ids.is_empty()
    {
        statement.push(" AND id IN ");
        session
            .dialect()
            .push_ids(statement, &mut ids.iter().map(|id| *id.as_uuid()));
    }
    let rows = Rows {
        alias: "listing",
        dialect: session.dialect(),
    };
    let visible = query.visibility.condition();
    for condition in [&query.condition, &visible].into_iter().flatten() {
        statement.push(" AND ");
        rows.push(statement, condition);
    }
    if let Some(visible) = visible.filter(|_| query.history) {
        let rows = Rows {
            alias: "present",
            ..rows
        };
        statement.push(
            " AND EXISTS (SELECT 1 FROM resource AS present WHERE present.id = listing.id AND ",
        );
        rows.push(statement, &visible);
        statement.push(")");
    }
}

/// Returns the column of a property that every resource has.
fn base_key(key: &str, history: bool) -> Option<(&'static str, Nullability)> {
    use Nullability::{NotNull, Nullable};
    Some(match key {
        "id" => ("id", NotNull),
        "type" => ("resource_type", NotNull),
        "creator" => ("creator", Nullable),
        "original_resource_id" => ("original_resource_id", NotNull),
        "started_at" => ("started_at", NotNull),
        "ended_at" => ("ended_at", Nullable),
        "revision_start" => ("revision_start", NotNull),
        "user_id" => ("user_id", Nullable),
        "project_id" => ("project_id", Nullable),
        "revision" if history => ("revision", NotNull),
        "revision_end" if history => ("revision_end", Nullable),
        _ => return None,
    })
}

/// Makes an expression of a sort key. What is no property is taken for an attribute.
fn order_key(session: &dyn Session, sort: &SortKey, query: &ResourceQuery) -> OrderKey {
    let attribute = || {
        let mut expression = Statement::default();
        session
            .dialect()
            .push_attribute(&mut expression, "attributes", &sort.key);
        (expression, "attributes", Nullability::Nullable)
    };
    let (expression, column, nullability) = base_key(&sort.key, query.history)
        .map_or_else(attribute, |(column, nullability)| {
            (Statement::new(column), column, nullability)
        });
    OrderKey {
        expression,
        column,
        nullability,
        direction: sort.direction,
        nulls: sort.nulls,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use carbonara::Timestamp;
    use gnocchi_core::driver::{Indexer, ResourceIndexer};
    use gnocchi_core::model::NewResource;

    use super::*;
    use crate::sql::SqlIndexer;
    use crate::sql::database::Access;

    #[tokio::test]
    async fn parts_of_a_page_are_one_page() {
        let indexer = SqlIndexer::in_memory();
        indexer.upgrade().await.unwrap();
        for number in 0..9 {
            let new = NewResource {
                id: ResourceId::from_u128(number),
                resource_type: GENERIC.into(),
                creator: None,
                original_resource_id: String::new(),
                started_at: Timestamp::EPOCH,
                ended_at: None,
                user_id: (number % 2 == 0).then(|| "user".into()),
                project_id: None,
                attributes: BTreeMap::new(),
                metrics: BTreeMap::new(),
            };
            let created = indexer.create_resource(&new, Timestamp::EPOCH).await;
            created.unwrap();
        }
        for history in [false, true] {
            for limit in [0, 2, 3, 7, 9, usize::MAX] {
                let mut query = ResourceQuery {
                    history,
                    ..ResourceQuery::of_type(GENERIC)
                };
                query.page.limit = limit;
                query.page.sort = vec![SortKey::ascending("user_id")];
                let whole = indexer.list_resources(&query).await.unwrap();
                let in_parts = indexer.database.call(
                    Access::Snapshot,
                    "list resources",
                    query,
                    |session, query| Box::pin(list_in_parts(session, query, 3)),
                );
                assert_eq!(in_parts.await.unwrap(), whole, "{limit}");
            }
        }
    }
}
