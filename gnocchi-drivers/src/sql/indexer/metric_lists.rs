//! Listings of metrics: their order, their filter, and what of them a caller sees.

use std::sync::Arc;

use gnocchi_core::driver::MetricFilter;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{METRIC_SORT_KEYS, Metric, MetricId, MetricStatus, Page};
use gnocchi_core::policy::{CreatorProject, Visibility, VisibleMetrics};
use gnocchi_core::search::Condition;

use super::archive_policies::PolicyCache;
use super::conditions::Rows;
use super::listing::{
    Nullability, OrderKey, push_after, push_keys, push_limit, push_order, read_keys,
};
use super::metrics::{read_metric, select, uuids};
use crate::sql::database::Session;
use crate::sql::error::SqlError;
use crate::sql::statement::Statement;

fn order_key(sort: &gnocchi_core::model::SortKey) -> Result<OrderKey, SqlError> {
    use Nullability::{NotNull, Nullable};
    let (column, nullability) = match sort.key.as_str() {
        "id" => ("metric.id", NotNull),
        "name" => ("metric.name", Nullable),
        "unit" => ("metric.unit", Nullable),
        "creator" => ("metric.creator", Nullable),
        "archive_policy_name" => ("metric.archive_policy_name", NotNull),
        "resource_id" => ("metric.resource_id", Nullable),
        "status" => ("metric.status", NotNull),
        _ => {
            return Err(IndexerError::InvalidSortKey {
                key: sort.key.clone(),
                known: METRIC_SORT_KEYS.map(ToOwned::to_owned).to_vec(),
            }
            .into());
        }
    };
    let expression = Statement::new(column);
    Ok(OrderKey {
        expression,
        column,
        nullability,
        direction: sort.direction,
        nulls: sort.nulls,
    })
}

fn push_filter(session: &dyn Session, statement: &mut Statement, filter: &MetricFilter) {
    let deleted = filter.status == Some(MetricStatus::Deleted);
    // Spelt out: only so the index of deleted metrics fits.
    statement.push(if deleted {
        " WHERE metric.status = 1"
    } else {
        " WHERE metric.status = 0"
    });
    let texts = [
        (" AND metric.name = ", filter.name.as_ref()),
        (" AND metric.unit = ", filter.unit.as_ref()),
        (
            " AND metric.archive_policy_name = ",
            filter.archive_policy_name.as_ref(),
        ),
    ];
    let creators = filter
        .creators
        .iter()
        .map(|creator| (" AND metric.creator = ", Some(creator)));
    for (condition, value) in texts.into_iter().chain(creators) {
        if let Some(value) = value {
            statement.push(condition);
            statement.push_value(value.as_str());
        }
    }
    if let Some(id) = filter.resource_id {
        statement.push(" AND metric.resource_id = ");
        statement.push_value(*id.as_uuid());
    }
    if let Some(ids) = &filter.ids {
        statement.push(" AND metric.id IN ");
        session.dialect().push_ids(statement, &mut uuids(ids));
    }
    if let Visibility::Only(visible) = &filter.visibility {
        statement.push(" AND ");
        push_visible(session, statement, visible);
    }
}

/// Adds the condition that a metric can be seen: for its creator, or for its resource.
fn push_visible(session: &dyn Session, statement: &mut Statement, visible: &VisibleMetrics) {
    let rows = |alias| Rows {
        alias,
        dialect: session.dialect(),
    };
    let of_creator = visible
        .creator_project
        .as_ref()
        .map(CreatorProject::condition);
    let of_creator = of_creator.unwrap_or(Condition::Any(Vec::new()));
    statement.push("(");
    rows("metric").push(statement, &of_creator);
    if let Some(resources) = &visible.of_resources {
        statement
            .push(" OR EXISTS (SELECT 1 FROM resource WHERE resource.id = metric.resource_id AND ");
        rows("resource").push(statement, &resources.condition());
        statement.push(")");
    }
    statement.push(")");
}

pub(super) async fn list(
    session: &mut dyn Session,
    (policies, filter, page): &(Arc<PolicyCache>, MetricFilter, Page),
) -> Result<Vec<Metric>, SqlError> {
    let order = page.total_order(&[], &["id"]);
    let order = order
        .iter()
        .map(order_key)
        .collect::<Result<Vec<OrderKey>, SqlError>>()?;
    let nothing = filter.ids.as_ref().is_some_and(Vec::is_empty);
    let mut statement = select("metric");
    if let Some(marker) = &page.marker {
        let invalid = || IndexerError::InvalidMarker {
            marker: marker.clone(),
        };
        let id: MetricId = marker.parse().map_err(|_| invalid())?;
        if nothing {
            return Err(invalid().into());
        }
        let mut marked = Statement::new("SELECT ");
        push_keys(&mut marked, &order);
        marked.push(" FROM metric");
        push_filter(session, &mut marked, filter);
        marked.push(" AND metric.id = ");
        marked.push_value(*id.as_uuid());
        let row = session.fetch(marked).await?.pop().ok_or_else(invalid)?;
        push_filter(session, &mut statement, filter);
        statement.push(" AND ");
        push_after(&mut statement, &order, &read_keys(row, &order)?);
    } else if nothing {
        return Ok(Vec::new());
    } else {
        push_filter(session, &mut statement, filter);
    }
    push_order(&mut statement, &order);
    push_limit(&mut statement, page.limit);
    session
        .fetch(statement)
        .await?
        .into_iter()
        .map(|row| read_metric(row, policies))
        .collect()
}
