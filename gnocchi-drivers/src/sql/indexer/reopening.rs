//! Lives of resources that go on.

use std::collections::BTreeMap;

use carbonara::Timestamp;
use gnocchi_core::model::{MetricId, ResourceId, next_revision_start};
use hashbrown::HashMap;
use uuid::Uuid;

use super::resources::store_past_revision;
use crate::sql::database::Session;
use crate::sql::error::SqlError;
use crate::sql::statement::Statement;

/// Which metrics were measured, the timestamp of a measure of each, and the time.
pub(super) type Measured = (Vec<(MetricId, Timestamp)>, Timestamp);

/// Takes the end of resources back that ended before their metrics were measured.
pub(super) async fn reopen(
    session: &mut dyn Session,
    (measured, now): &Measured,
) -> Result<Vec<ResourceId>, SqlError> {
    let mut reopened = Vec::new();
    for (id, revision_start) in ended_before(session, measured).await? {
        let revision_start = next_revision_start(revision_start, *now);
        store_past_revision(session, id, revision_start).await?;
        let current =
            Statement::new("UPDATE resource SET ended_at = NULL, revision_start = ? WHERE id = ?");
        session
            .execute(current.bind(revision_start).bind(id))
            .await?;
        reopened.push(ResourceId::from_uuid(id));
    }
    Ok(reopened)
}

/// Returns the resources that ended before their metrics were measured, and when their current revisions began.
async fn ended_before(
    session: &mut dyn Session,
    measured: &[(MetricId, Timestamp)],
) -> Result<BTreeMap<Uuid, Timestamp>, SqlError> {
    let mut newest: HashMap<Uuid, Timestamp> = HashMap::with_capacity(measured.len());
    for (metric, at) in measured {
        let newest = newest.entry(*metric.as_uuid()).or_insert(*at);
        *newest = (*newest).max(*at);
    }
    let mut statement = Statement::new(
        "SELECT metric.id, resource.id, resource.ended_at, resource.revision_start FROM metric \
         JOIN resource ON resource.id = metric.resource_id \
         WHERE metric.status = 0 AND resource.ended_at IS NOT NULL AND metric.id IN ",
    );
    session
        .dialect()
        .push_ids(&mut statement, &mut newest.keys().copied());
    let mut ended = BTreeMap::new();
    for mut row in session.fetch(statement).await? {
        let metric = row.id("metric.id")?;
        let resource = row.id("resource.id")?;
        let ended_at = row.moment("resource.ended_at")?;
        let revision_start = row.moment("resource.revision_start")?;
        if newest
            .get(&metric)
            .is_some_and(|newest| *newest >= ended_at)
        {
            ended.insert(resource, revision_start);
        }
    }
    Ok(ended)
}
