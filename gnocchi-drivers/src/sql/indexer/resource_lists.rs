//! Lists of resources.

use gnocchi_core::driver::ResourceQuery;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{GENERIC, Resource, ResourceId, ResourceType, SortKey};

use super::conditions::Rows;
use super::listing::{
    Nullability, OrderKey, push_after, push_keys, push_order, read_keys, total_order,
};
use super::resource_types::find_type;
use super::resources::{RESOURCE_COLUMNS, StoredResource, complete};
use crate::sql::database::Session;
use crate::sql::error::SqlError;
use crate::sql::statement::Statement;

/// The number that stands for the current revision in orders and markers.
const CURRENT: i64 = -1;

/// Lists resources of a type, with their attributes and metrics.
pub(super) async fn list(
    session: &mut dyn Session,
    query: &ResourceQuery,
) -> Result<Vec<Resource>, SqlError> {
    let resource_type = find_type(session, &query.resource_type).await?;
    let unique: &[&str] = if query.history {
        &["id", "revision"]
    } else {
        &["id"]
    };
    let order = total_order(&query.page.sort, &["revision_start", "started_at"], unique);
    let order = order
        .iter()
        .map(|sort| order_key(&*session, sort, &resource_type, query))
        .collect::<Result<Vec<OrderKey>, SqlError>>()?;
    let nothing = query.ids.as_ref().is_some_and(Vec::is_empty);

    let mut statement = Statement::new("SELECT ");
    statement.push(RESOURCE_COLUMNS);
    statement.push(if query.history {
        ", revision_end, revision"
    } else {
        ", NULL, -1"
    });
    push_source(&*session, &mut statement, query);
    if let Some(marker) = &query.page.marker {
        let invalid = || IndexerError::InvalidMarker {
            marker: marker.clone(),
        };
        let (id, revision) = parse_marker(marker, query.history).ok_or_else(invalid)?;
        if nothing {
            return Err(invalid().into());
        }
        let mut marked = Statement::new("SELECT ");
        push_keys(&mut marked, &order);
        push_source(&*session, &mut marked, query);
        marked.push(" AND id = ");
        marked.push_value(*id.as_uuid());
        if query.history {
            marked.push(" AND revision = ");
            marked.push_value(revision);
        }
        let row = session.fetch(marked).await?.pop().ok_or_else(invalid)?;
        statement.push(" AND ");
        push_after(&mut statement, &order, &read_keys(row, &order)?);
    } else if nothing {
        return Ok(Vec::new());
    }
    push_order(&mut statement, &order, query.page.limit);

    let mut stored = Vec::new();
    for mut row in session.fetch(statement).await? {
        let mut resource = StoredResource::read(&mut row)?;
        resource.read_revision(&mut row)?;
        stored.push(resource);
    }
    complete(session, stored).await
}

/// Parses `id`, or `id@revision` in history.
fn parse_marker(marker: &str, history: bool) -> Option<(ResourceId, i64)> {
    if !history {
        return Some((marker.parse().ok()?, CURRENT));
    }
    let (id, revision) = marker.split_once('@')?;
    Some((id.parse().ok()?, revision.parse().ok()?))
}

/// Adds where resources come from, and which of them fit.
fn push_source(session: &dyn Session, statement: &mut Statement, query: &ResourceQuery) {
    if query.history {
        statement.push(" FROM (SELECT ");
        statement.push(RESOURCE_COLUMNS);
        statement.push(", NULL AS revision_end, -1 AS revision FROM resource UNION ALL SELECT ");
        statement.push(RESOURCE_COLUMNS);
        statement.push(", revision_end, revision FROM resource_revision) AS listing");
    } else {
        statement.push(" FROM resource AS listing");
    }
    if query.resource_type == GENERIC {
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

fn order_key(
    session: &dyn Session,
    sort: &SortKey,
    resource_type: &ResourceType,
    query: &ResourceQuery,
) -> Result<OrderKey, SqlError> {
    use Nullability::{NotNull, Nullable};
    let base = match sort.key.as_str() {
        "id" => Some(("id", NotNull)),
        "type" => Some(("resource_type", NotNull)),
        "creator" => Some(("creator", Nullable)),
        "original_resource_id" => Some(("original_resource_id", NotNull)),
        "started_at" => Some(("started_at", NotNull)),
        "ended_at" => Some(("ended_at", Nullable)),
        "revision_start" => Some(("revision_start", NotNull)),
        "user_id" => Some(("user_id", Nullable)),
        "project_id" => Some(("project_id", Nullable)),
        "revision" if query.history => Some(("revision", NotNull)),
        "revision_end" if query.history => Some(("revision_end", Nullable)),
        _ => None,
    };
    let (expression, column, nullability) = match base {
        Some((column, nullability)) => (Statement::new(column), column, nullability),
        None if resource_type.attributes().contains_key(&sort.key) => {
            let mut expression = Statement::default();
            session
                .dialect()
                .push_attribute(&mut expression, "attributes", &sort.key);
            (expression, "attributes", Nullable)
        }
        None => {
            return Err(IndexerError::InvalidSortKey {
                key: sort.key.clone(),
            }
            .into());
        }
    };
    Ok(OrderKey {
        expression,
        column,
        nullability,
        direction: sort.direction,
        nulls: sort.nulls,
    })
}
