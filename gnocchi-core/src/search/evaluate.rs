//! What a condition says of one resource.

use carbonara::Timestamp;

use super::condition::{Column, Condition, Operand};
use super::filter::Comparison;
use super::like;
use crate::model::{AttributeValue, CURRENT_REVISION, Resource, stored_parts_of_creator};

impl Condition {
    /// Returns whether a resource, or a revision of one, matches.
    #[must_use]
    pub fn matches(&self, resource: &Resource) -> bool {
        self.evaluate(resource) == Some(true)
    }

    /// Returns `None` where SQL would have null.
    fn evaluate(&self, resource: &Resource) -> Option<bool> {
        match self {
            Self::All(parts) => junction(parts, resource, false),
            Self::Any(parts) => junction(parts, resource, true),
            Self::Not(inner) => inner.evaluate(resource).map(|fits| !fits),
            Self::IsNull(column) => Some(column.of(resource).is_none()),
            Self::Compare {
                column,
                comparison,
                operand,
            } => match column.of(resource) {
                None if *comparison == Comparison::NotEqual => Some(true),
                found => Some(comparison.accepts(found?.compare(operand)?)),
            },
            Self::In { column, operands } => {
                let found = column.of(resource)?;
                let same = |operand| {
                    found
                        .compare(operand)
                        .is_some_and(std::cmp::Ordering::is_eq)
                };
                Some(operands.iter().any(same))
            }
            Self::Like { column, pattern } => match column.of(resource)? {
                Operand::Text(text) => Some(like::fits(pattern, &text)),
                _ => None,
            },
            Self::Lifespan { comparison, length } => match resource.ended_at {
                None if *comparison == Comparison::NotEqual => Some(true),
                ended_at => {
                    let lived_ns = ended_at?.since(resource.started_at);
                    Some(comparison.accepts(lived_ns.cmp(&length.as_nanosecond())))
                }
            },
        }
    }
}

/// Joins parts of which one that is `decisive` decides; otherwise one that is unknown makes the whole unknown.
fn junction(parts: &[Condition], resource: &Resource, decisive: bool) -> Option<bool> {
    let mut outcome = Some(!decisive);
    for part in parts {
        match part.evaluate(resource) {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => outcome = None,
        }
    }
    outcome
}

impl Column {
    /// Returns the value in one row.
    fn of(&self, resource: &Resource) -> Option<Operand> {
        let text = |text: Option<&str>| text.map(|text| Operand::Text(text.to_owned()));
        let timestamp = |timestamp: Option<Timestamp>| timestamp.map(Operand::Timestamp);
        match self {
            Self::Id => Some(Operand::Id(*resource.id.as_uuid())),
            Self::Type => text(Some(&resource.resource_type)),
            Self::Creator => text(resource.creator.as_deref()),
            Self::CreatorUser => text(
                resource
                    .creator
                    .as_deref()
                    .map(|creator| stored_parts_of_creator(creator).0),
            ),
            Self::CreatorProject => text(
                resource
                    .creator
                    .as_deref()
                    .map(|creator| stored_parts_of_creator(creator).1.unwrap_or_default()),
            ),
            Self::UserId => text(resource.user_id.as_deref()),
            Self::ProjectId => text(resource.project_id.as_deref()),
            Self::OriginalResourceId => text(Some(&resource.original_resource_id)),
            Self::StartedAt => timestamp(Some(resource.started_at)),
            Self::EndedAt => timestamp(resource.ended_at),
            Self::RevisionStart => timestamp(Some(resource.revision_start)),
            Self::RevisionEnd => timestamp(resource.revision_end),
            Self::Revision => Some(Operand::Integer(
                resource.revision.unwrap_or(CURRENT_REVISION),
            )),
            Self::Attribute(name) => resource.attributes.get(name)?.as_ref().map(Operand::from),
        }
    }
}

impl From<&AttributeValue> for Operand {
    fn from(value: &AttributeValue) -> Self {
        match value {
            AttributeValue::String(text) => Self::Text(text.clone()),
            AttributeValue::Number(number) => Self::Number(*number),
            AttributeValue::Uuid(uuid) => Self::Id(*uuid),
            AttributeValue::Bool(flag) => Self::Bool(*flag),
            AttributeValue::Datetime(timestamp) => Self::Timestamp(*timestamp),
        }
    }
}
