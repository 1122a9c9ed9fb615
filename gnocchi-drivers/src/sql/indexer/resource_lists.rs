//! Lists of resources.

use gnocchi_core::driver::ResourceQuery;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{GENERIC, Resource, ResourceId, ResourceType, SortKey};
use gnocchi_core::search::Condition;

use super::attribute_index::{indexed_parts, push_hits, push_probes, read_probes};
use super::conditions::Rows;
use super::listing::{
    Nullability, OrderKey, push_after, push_keys, push_limit, push_order, read_keys, total_order,
};
use super::resource_rows::{CURRENT, RESOURCE_COLUMNS, read_all, select_resources};
use super::resource_types::no_such_type;
use crate::sql::database::Session;
use crate::sql::document::decode_type;
use crate::sql::error::SqlError;
use crate::sql::statement::{Cell, Statement, Value};

/// How many resources of a page share a row of the answer.
const RESOURCES_PER_ROW: i64 = 256;

/// Lists resources of a type, with their attributes and metrics: at most two statements, however long the page is.
pub(super) async fn list(
    session: &mut dyn Session,
    query: &ResourceQuery,
) -> Result<Vec<Resource>, SqlError> {
    let unique: &[&str] = if query.history {
        &["id", "revision"]
    } else {
        &["id"]
    };
    let order = total_order(&query.page.sort, &["revision_start", "started_at"], unique);
    let order: Vec<OrderKey> = order
        .iter()
        .map(|sort| order_key(&*session, sort, query))
        .collect();
    let marker = query.page.marker.as_deref();
    let marked_row = marker.and_then(|marker| parse_marker(marker, query.history));
    let nothing = query.ids.as_ref().is_some_and(Vec::is_empty);
    let prepared = if query.resource_type == GENERIC && (nothing || marked_row.is_none()) {
        check_sort_keys(&ResourceType::generic(), query)?;
        Prepared::default()
    } else {
        let wanted = marked_row.filter(|_| !nothing);
        prepare(session, query, &order, wanted).await?
    };
    if let Some(marker) = marker
        && prepared.marked_keys.is_none()
    {
        let marker = marker.to_owned();
        return Err(IndexerError::InvalidMarker { marker }.into());
    }
    if nothing {
        return Ok(Vec::new());
    }
    let metric_names = query.metric_names.as_deref();
    let mut statement = select_resources(
        &*session,
        "listing.revision_end, listing.revision",
        metric_names,
        " ORDER BY listing.place",
    );
    statement.push(" FROM (SELECT page.*, row_number() OVER (");
    push_order(&mut statement, &order);
    statement.push(") AS place");
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
    statement.push(") AS page) AS listing GROUP BY place / ");
    statement.push_value(RESOURCES_PER_ROW);
    statement.push(" ORDER BY MIN(place)");
    read_all(session.fetch(statement).await?, metric_names)
}

/// What is known before a page is read.
#[derive(Default)]
struct Prepared<'a> {
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
    marked: Option<(ResourceId, i64)>,
) -> Result<Prepared<'a>, SqlError> {
    // Past revisions are not in the index.
    let condition = query.condition.as_ref().filter(|_| !query.history);
    let parts = indexed_parts(condition);
    let mut statement = Statement::new("SELECT resource_type.name, resource_type.attributes");
    push_probes(&mut statement, &query.resource_type, &parts);
    if let Some((id, revision)) = marked {
        statement.push(", marked.* FROM resource_type LEFT JOIN (SELECT 1, ");
        push_keys(&mut statement, order);
        push_source(&*session, &mut statement, query, None);
        statement.push(" AND id = ");
        statement.push_value(*id.as_uuid());
        if query.history {
            statement.push(" AND revision = ");
            statement.push_value(revision);
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
    check_sort_keys(&decode_type(name, &attributes)?, query)?;
    let leading = read_probes(&mut row, &parts)?;
    let marked_keys = if marked.is_none() || row.cell() == Cell::Null {
        None
    } else {
        Some(read_keys(row, order)?)
    };
    Ok(Prepared {
        marked_keys,
        leading,
    })
}

/// Fails for a key that is neither a property of every resource nor an attribute of the type.
fn check_sort_keys(resource_type: &ResourceType, query: &ResourceQuery) -> Result<(), SqlError> {
    let known = |key: &str| {
        base_key(key, query.history).is_some() || resource_type.attributes().contains_key(key)
    };
    match query.page.sort.iter().find(|sort| !known(&sort.key)) {
        Some(sort) => Err(IndexerError::InvalidSortKey {
            key: sort.key.clone(),
        }
        .into()),
        None => Ok(()),
    }
}

/// Parses `id`, or `id@revision` in history.
fn parse_marker(marker: &str, history: bool) -> Option<(ResourceId, i64)> {
    if !history {
        return Some((marker.parse().ok()?, CURRENT));
    }
    let (id, revision) = marker.split_once('@')?;
    Some((id.parse().ok()?, revision.parse().ok()?))
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
        statement.push(", revision_end, revision FROM resource_revision) AS listing");
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
