//! Resources as a caller saw them, compared with their current state.

use std::collections::BTreeSet;

use gnocchi_core::model::{ResourceId, SeenResource};
use hashbrown::HashMap;
use uuid::Uuid;

use crate::sql::database::Session;
use crate::sql::error::SqlError;
use crate::sql::statement::{Row, Statement};

/// What [`read_seen`] reads.
pub(super) const SEEN_COLUMNS: &str =
    "resource.id, resource.creator, resource.original_resource_id, resource.revision_start";

/// Reads [`SEEN_COLUMNS`].
pub(super) fn read_seen(row: &mut Row) -> Result<SeenResource, SqlError> {
    Ok(SeenResource {
        id: ResourceId::from_uuid(row.id("resource.id")?),
        creator: row.optional_text("resource.creator")?,
        original_resource_id: row.text("resource.original_resource_id")?,
        revision_start: row.moment("resource.revision_start")?,
    })
}

/// Returns the current state of resources; those that do not exist are left out.
pub(super) async fn current_of(
    session: &mut dyn Session,
    ids: &BTreeSet<Uuid>,
) -> Result<HashMap<ResourceId, SeenResource>, SqlError> {
    let mut statement = Statement::new("SELECT ");
    statement.push(SEEN_COLUMNS);
    statement.push(" FROM resource WHERE id IN ");
    session
        .dialect()
        .push_ids(&mut statement, &mut ids.iter().copied());
    let rows = session.fetch(statement).await?.into_iter();
    rows.map(|mut row| read_seen(&mut row).map(|seen| (seen.id, seen)))
        .collect()
}
