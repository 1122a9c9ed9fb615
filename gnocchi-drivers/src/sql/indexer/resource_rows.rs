//! Rows of resources, with their attributes and metrics: one statement reads them complete.

use std::collections::BTreeMap;

use gnocchi_core::budget::aside;
use gnocchi_core::model::{
    CURRENT_REVISION, GENERIC, Glob, MetricId, Resource, ResourceId, ResourceType,
};
use hashbrown::HashMap;

use crate::sql::database::Session;
use crate::sql::document::{decode_attributes, decode_metrics, decode_rows, decode_type};
use crate::sql::error::SqlError;
use crate::sql::statement::{Row, Statement};

/// The columns of a current revision, which a past one has too.
pub(super) const RESOURCE_COLUMNS: &str = "id, resource_type, creator, original_resource_id, started_at, ended_at, \
     revision_start, user_id, project_id, attributes";

/// How many patterns of names are told the database, as the texts they begin with; more are only looked at afterwards.
const PREFIXES_MAX: usize = 16;

/// A resource whose attributes are still a document, and which has no metrics yet.
pub(super) struct StoredResource {
    resource: Resource,
    attributes: String,
}

impl StoredResource {
    /// Reads [`RESOURCE_COLUMNS`].
    pub(super) fn read(row: &mut Row) -> Result<Self, SqlError> {
        let resource = Resource {
            id: ResourceId::from_uuid(row.id("resource.id")?),
            resource_type: row.text("resource.resource_type")?,
            creator: row.optional_text("resource.creator")?,
            original_resource_id: row.text("resource.original_resource_id")?,
            started_at: row.moment("resource.started_at")?,
            ended_at: row.optional_moment("resource.ended_at")?,
            revision_start: row.moment("resource.revision_start")?,
            user_id: row.optional_text("resource.user_id")?,
            project_id: row.optional_text("resource.project_id")?,
            revision_end: None,
            revision: None,
            attributes: BTreeMap::new(),
            metrics: BTreeMap::new(),
        };
        Ok(Self {
            resource,
            attributes: row.text("resource.attributes")?,
        })
    }

    /// Reads what only past revisions have: their end, and their number, or -1 for a current one.
    pub(super) fn read_revision(&mut self, row: &mut Row) -> Result<(), SqlError> {
        self.resource.revision_end = row.optional_moment("resource_revision.revision_end")?;
        let revision = row.integer("resource_revision.number")?;
        self.resource.revision = (revision != CURRENT_REVISION).then_some(revision);
        Ok(())
    }

    /// Reads the attributes for their errors only. A type that is not among these is not checked.
    pub(super) fn check_attributes(
        &self,
        types: &BTreeMap<String, ResourceType>,
    ) -> Result<(), SqlError> {
        match types.get(&self.resource.resource_type) {
            Some(resource_type) => {
                decode_attributes(resource_type, &self.attributes, "resource.attributes").map(drop)
            }
            None => Ok(()),
        }
    }
}

/// Whether resources are read with their types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Types {
    /// Each comes with the attributes of its type.
    Read,
    /// All of them are of one type that is known already.
    Known,
}

/// Begins a statement that reads complete resources in the order in which they come out of a table expression with the alias
/// `listing`; `revision` stands for the two columns that only past revisions have. The answer has one row.
///
/// Why is this fast? Each row that leaves the database makes two threads wait for each other, and each of its values is copied
/// twice. So all resources come in one row, as JSON.
pub(super) fn select_resources(
    session: &dyn Session,
    revision: &str,
    types: Types,
    metric_names: Option<&[Glob]>,
) -> Statement {
    let dialect = session.dialect();
    let mut statement = Statement::new("SELECT ");
    for part in [dialect.json_list(), "(", dialect.json_row(), "("] {
        statement.push(part);
    }
    for (index, column) in RESOURCE_COLUMNS.split(", ").enumerate() {
        statement.push(if index > 0 { ", listing." } else { "" });
        if index > 0 {
            statement.push(column);
        } else {
            statement.push(dialect.hexadecimal());
            statement.push("(listing.id)");
        }
    }
    for part in [", ", revision] {
        statement.push(part);
    }
    statement.push(match types {
        Types::Read => {
            ", (SELECT resource_type.attributes FROM resource_type WHERE resource_type.name = listing.resource_type)"
        }
        Types::Known => ", NULL",
    });
    statement.push(", (SELECT ");
    statement.push(dialect.named_metrics());
    statement
        .push(" FROM metric WHERE metric.resource_id = listing.id AND metric.status = 0 AND metric.name IS NOT NULL");
    if let Some(names) = metric_names.filter(|names| names.len() <= PREFIXES_MAX) {
        statement.push(" AND (");
        statement.push_list(" OR ", names, push_name);
        statement.push(if names.is_empty() { "1 = 0)" } else { ")" });
    }
    statement.push(")))");
    statement
}

/// Adds what the names that fit a pattern have in common.
fn push_name(statement: &mut Statement, pattern: &Glob) {
    let (prefix, is_whole) = pattern.literal_prefix();
    if is_whole {
        statement.push("metric.name = ");
        statement.push_value(prefix);
    } else {
        // Texts are ordered byte by byte, and no text has a byte 0xff: this is the range of those that begin like this.
        statement.push("metric.name >= ");
        statement.push_value(prefix.as_str());
        if let Some(end) = next_prefix(&prefix) {
            statement.push(" AND metric.name < ");
            statement.push_value(end);
        }
    }
}

/// Returns the first text after all that begin with this one; `None` when there is none.
fn next_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

/// How long the text of a page may be that is read on the task that asks for it, in bytes: it takes about half a millisecond.
const READ_AT_ONCE_BYTES: usize = 64 << 10;

/// Reads as [`read_all`] does, on a blocking thread when there is much to read or to compare.
pub(super) async fn read_page(
    rows: Vec<Row>,
    known: Option<ResourceType>,
    metric_names: Option<&Vec<Glob>>,
) -> Result<Vec<Resource>, SqlError> {
    let bytes: usize = rows.iter().map(Row::text_bytes).sum();
    let patterns = metric_names.map_or(1, |names| names.len().max(1));
    if bytes.saturating_mul(patterns) <= READ_AT_ONCE_BYTES {
        return read_all(rows, known, metric_names.map(Vec::as_slice));
    }
    let metric_names = metric_names.cloned();
    aside(move || read_all(rows, known, metric_names.as_deref()))
        .await
        .map_err(|_| SqlError::Closed)?
}

/// Reads what [`select_resources`] selected; `known` is the type of all of them, if it is known.
pub(super) fn read_all(
    rows: Vec<Row>,
    known: Option<ResourceType>,
    metric_names: Option<&[Glob]>,
) -> Result<Vec<Resource>, SqlError> {
    let known = known.map(|known| (known.name().to_owned(), known));
    let mut types: HashMap<String, ResourceType> = known.into_iter().collect();
    let mut resources = Vec::new();
    for mut row in rows {
        for row in decode_rows(&row.text("resource")?)? {
            resources.push(read_complete(row, metric_names, &mut types)?);
        }
    }
    Ok(resources)
}

fn read_complete(
    mut row: Row,
    metric_names: Option<&[Glob]>,
    types: &mut HashMap<String, ResourceType>,
) -> Result<Resource, SqlError> {
    let mut stored = StoredResource::read(&mut row)?;
    stored.read_revision(&mut row)?;
    let type_attributes = row.optional_text("resource_type.attributes")?;
    let metrics = row.text("metric.id")?;
    let StoredResource {
        mut resource,
        attributes,
    } = stored;
    if resource.resource_type != GENERIC {
        let name = &resource.resource_type;
        // All rows of one type come with the same text.
        if !types.contains_key(name) {
            let type_attributes = type_attributes.ok_or_else(|| {
                SqlError::corrupt("resource.resource_type", format!("the unknown type {name}"))
            })?;
            types.insert(name.clone(), decode_type(name.clone(), &type_attributes)?);
        }
        resource.attributes = decode_attributes(&types[name], &attributes, "resource.attributes")?;
    }
    resource.metrics = decode_metrics(&metrics)?;
    if let Some(names) = metric_names {
        let fits = |name: &String, _: &mut MetricId| names.iter().any(|glob| glob.matches(name));
        resource.metrics.retain(fits);
    }
    Ok(resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_have_an_end() {
        let check = |prefix: &str, expected: Option<&str>| {
            assert_eq!(next_prefix(prefix).as_deref(), expected, "{prefix}");
        };
        check("disk.", Some("disk/"));
        check("a\u{7f}", Some("a\u{80}"));
        check("\u{d7ff}", Some("\u{e000}"));
        check("a\u{10ffff}", Some("b"));
        check("\u{10ffff}", None);
        check("", None);
    }
}
