//! From what a client asks to what an indexer can answer: names become columns, values get the type of their column.

use carbonara::Timestamp;
use thiserror::Error;
use uuid::Uuid;

use super::condition::{Column, Condition, Operand, PARTS_MAX, VALUES_MAX};
use super::filter::{Comparison, Filter, Scalar};
use crate::model::escaped_user;
use crate::model::{AttributeKind, ResourceId, ResourceType, whole_microseconds};
use crate::text::{timespan, timestamp};

/// The longest pattern, in bytes: longer than any text that is kept, and shorter than what a database refuses.
const PATTERN_BYTES_MAX: usize = 4096;

/// Up to here every whole number is a double of its own.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What a filter is about.
#[derive(Debug, Clone, Copy)]
pub struct SearchContext<'a> {
    /// The type whose resources are searched.
    pub resource_type: &'a ResourceType,
    /// Whether past revisions are searched too, which adds their columns.
    pub history: bool,
    /// Whose names for resources the filter uses.
    pub creator: Option<&'a str>,
    /// What relative timestamps count from.
    pub now: Timestamp,
}

/// Why a filter cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Resources of this type have nothing of that name.
    #[error("resource type {resource_type} has no {attribute} attribute")]
    UnknownAttribute {
        /// The type.
        resource_type: String,
        /// The name.
        attribute: String,
    },
    /// An attribute cannot be compared with that value, or not in this way.
    #[error("invalid value {value} for {attribute}")]
    InvalidValue {
        /// The value, as text.
        value: String,
        /// The name.
        attribute: String,
    },
    /// There are more comparisons and connections, or more values, than a database takes.
    #[error("the filter has more than {PARTS_MAX} parts or {VALUES_MAX} values")]
    TooLarge,
}

/// What kind of values stand in a column, and what may be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Timestamp,
    Uuid,
    Bool,
    /// The identifier, which may be written as its creator wrote it.
    ResourceId,
    /// A part of the creator: text that is equal, different or like another.
    CreatorPart,
}

/// What the name of an attribute stands for.
enum Subject {
    Column(Column, Kind),
    Lifespan,
}

impl Filter {
    /// Checks names, operators and values.
    ///
    /// # Errors
    /// [`BindError`] says which name or value doesn't fit.
    pub fn bind(&self, context: &SearchContext<'_>) -> Result<Condition, BindError> {
        let condition = context.bind(self)?;
        if condition.parts() > PARTS_MAX || condition.values() > VALUES_MAX {
            return Err(BindError::TooLarge);
        }
        Ok(condition)
    }
}

impl SearchContext<'_> {
    fn bind(&self, filter: &Filter) -> Result<Condition, BindError> {
        let bind_each = |filters: &[Filter]| -> Result<Vec<Condition>, BindError> {
            filters.iter().map(|filter| self.bind(filter)).collect()
        };
        Ok(match filter {
            Filter::All(filters) => Condition::All(bind_each(filters)?),
            Filter::Any(filters) => Condition::Any(bind_each(filters)?),
            Filter::Not(inner) => Condition::Not(Box::new(self.bind(inner)?)),
            Filter::Compare {
                comparison,
                attribute,
                value,
            } => self.compare(*comparison, attribute, value)?,
            Filter::Like { attribute, pattern } => self.like(attribute, pattern)?,
            Filter::In { attribute, values } => self.one_of(attribute, values)?,
        })
    }

    fn compare(
        &self,
        comparison: Comparison,
        attribute: &str,
        value: &Scalar,
    ) -> Result<Condition, BindError> {
        let invalid = || invalid(attribute, value);
        let (column, kind) = match self.subject(attribute)? {
            Subject::Column(column, kind) => (column, kind),
            Subject::Lifespan => {
                let length = length(value).ok_or_else(invalid)?;
                return Ok(Condition::Lifespan { comparison, length });
            }
        };
        let decides_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if kind == Kind::CreatorPart && !decides_equality {
            return Err(invalid());
        }
        if *value == Scalar::Null {
            return match comparison {
                Comparison::Equal => Ok(Condition::IsNull(column)),
                Comparison::NotEqual => Ok(Condition::Not(Box::new(Condition::IsNull(column)))),
                _ => Err(invalid()),
            };
        }
        let operand = self.operand(kind, value).ok_or_else(invalid)?;
        if column == Column::CreatorUser {
            return Ok(made_by(&value.to_text(), comparison));
        }
        if kind == Kind::ResourceId && decides_equality && is_name(value) {
            let meant = self.named(vec![operand], vec![Operand::Text(value.to_text())]);
            return Ok(match comparison {
                Comparison::NotEqual => Condition::Not(Box::new(meant)),
                _ => meant,
            });
        }
        Ok(Condition::Compare {
            column,
            comparison,
            operand,
        })
    }

    /// Selects the resources that the caller has given these names; `ids` are those of the names. Every caller can compute them, so an id
    /// alone would select a resource to which another caller has given it; see [`ResourceAddress`](crate::model::ResourceAddress).
    fn named(&self, ids: Vec<Operand>, names: Vec<Operand>) -> Condition {
        let one_of = |column, mut operands: Vec<Operand>| match operands.len() {
            1 => Condition::Compare {
                column,
                comparison: Comparison::Equal,
                operand: operands.remove(0),
            },
            _ => Condition::In { column, operands },
        };
        let is_own = match self.creator {
            None => Condition::IsNull(Column::Creator),
            Some(creator) => one_of(Column::Creator, vec![Operand::Text(creator.to_owned())]),
        };
        Condition::All(vec![
            one_of(Column::Id, ids),
            one_of(Column::OriginalResourceId, names),
            is_own,
        ])
    }

    fn like(&self, attribute: &str, pattern: &Scalar) -> Result<Condition, BindError> {
        let text = match pattern {
            Scalar::Null => None,
            other => Some(other.to_text()),
        };
        match (self.subject(attribute)?, text) {
            (Subject::Column(column, Kind::Text | Kind::CreatorPart), Some(pattern))
                if pattern.len() <= PATTERN_BYTES_MAX =>
            {
                Ok(Condition::Like { column, pattern })
            }
            _ => Err(invalid(attribute, pattern)),
        }
    }

    fn one_of(&self, attribute: &str, values: &[Scalar]) -> Result<Condition, BindError> {
        let first = values.first().unwrap_or(&Scalar::Null);
        let (column, kind) = match self.subject(attribute)? {
            Subject::Column(column, kind) if kind != Kind::CreatorPart => (column, kind),
            _ => return Err(invalid(attribute, first)),
        };
        let (mut operands, mut ids, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for value in values.iter().filter(|value| **value != Scalar::Null) {
            let operand = self.operand(kind, value);
            let operand = operand.ok_or_else(|| invalid(attribute, value))?;
            if kind == Kind::ResourceId && is_name(value) {
                ids.push(operand);
                names.push(Operand::Text(value.to_text()));
            } else {
                operands.push(operand);
            }
        }
        let mut parts = Vec::new();
        let has_null = operands.len() + names.len() < values.len() || values.is_empty();
        if !operands.is_empty() {
            let column = column.clone();
            parts.push(Condition::In { column, operands });
        }
        if !names.is_empty() {
            parts.push(self.named(ids, names));
        }
        if has_null {
            parts.push(Condition::IsNull(column));
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Condition::Any(parts),
        })
    }

    fn subject(&self, name: &str) -> Result<Subject, BindError> {
        let (column, kind) = match name {
            "id" => (Column::Id, Kind::ResourceId),
            "type" => (Column::Type, Kind::Text),
            "creator" => (Column::Creator, Kind::Text),
            "created_by_user_id" => (Column::CreatorUser, Kind::CreatorPart),
            "created_by_project_id" => (Column::CreatorProject, Kind::CreatorPart),
            "user_id" => (Column::UserId, Kind::Text),
            "project_id" => (Column::ProjectId, Kind::Text),
            "original_resource_id" => (Column::OriginalResourceId, Kind::Text),
            "started_at" => (Column::StartedAt, Kind::Timestamp),
            "ended_at" => (Column::EndedAt, Kind::Timestamp),
            "revision_start" => (Column::RevisionStart, Kind::Timestamp),
            "revision_end" if self.history => (Column::RevisionEnd, Kind::Timestamp),
            "revision" if self.history => (Column::Revision, Kind::Integer),
            "lifespan" => return Ok(Subject::Lifespan),
            other => match self.resource_type.attributes().get(other) {
                Some(attribute) => (
                    Column::Attribute(other.to_owned()),
                    Kind::from(attribute.kind),
                ),
                None => {
                    return Err(BindError::UnknownAttribute {
                        resource_type: self.resource_type.name().to_owned(),
                        attribute: other.to_owned(),
                    });
                }
            },
        };
        Ok(Subject::Column(column, kind))
    }

    /// Gives a value that is not null the type of a column.
    fn operand(&self, kind: Kind, value: &Scalar) -> Option<Operand> {
        Some(match kind {
            Kind::Text | Kind::CreatorPart => Operand::Text(value.to_text()),
            Kind::Integer => Operand::Integer(whole(value)?),
            Kind::Number => Operand::Number(number(value)?),
            Kind::Timestamp => {
                let timestamp = match value {
                    Scalar::Text(text) => timestamp::parse(text, self.now),
                    Scalar::Integer(_) | Scalar::Number(_) => {
                        timestamp::from_seconds(number(value)?)
                    }
                    Scalar::Null | Scalar::Bool(_) => return None,
                };
                Operand::Timestamp(whole_microseconds(timestamp.ok()?))
            }
            Kind::Uuid => Operand::Id(Uuid::from_u128(
                text(value)?.parse::<ResourceId>().ok()?.as_u128(),
            )),
            Kind::ResourceId => {
                let id = ResourceId::from_original(text(value)?, self.creator).ok()?;
                Operand::Id(*id.as_uuid())
            }
            Kind::Bool => Operand::Bool(match value {
                Scalar::Bool(flag) => *flag,
                Scalar::Text(text) if text.eq_ignore_ascii_case("true") => true,
                Scalar::Text(text) if text.eq_ignore_ascii_case("false") => false,
                _ => return None,
            }),
        })
    }
}

impl From<AttributeKind> for Kind {
    fn from(kind: AttributeKind) -> Self {
        match kind {
            AttributeKind::String { .. } => Self::Text,
            AttributeKind::Number { .. } => Self::Number,
            AttributeKind::Uuid => Self::Uuid,
            AttributeKind::Bool => Self::Bool,
            AttributeKind::Datetime => Self::Timestamp,
        }
    }
}

fn invalid(attribute: &str, value: &Scalar) -> BindError {
    BindError::InvalidValue {
        value: value.to_text(),
        attribute: attribute.to_owned(),
    }
}

/// Selects what a user has made, or everything else. Users that stand in a project stand escaped in creators, bare names as they are.
fn made_by(user: &str, comparison: Comparison) -> Condition {
    let equal = |user: &str| Condition::Compare {
        column: Column::CreatorUser,
        comparison,
        operand: Operand::Text(user.to_owned()),
    };
    match (escaped_user(user), comparison) {
        (escaped, _) if escaped == user => equal(user),
        (escaped, Comparison::NotEqual) => Condition::All(vec![equal(user), equal(&escaped)]),
        (escaped, _) => Condition::Any(vec![equal(user), equal(&escaped)]),
    }
}

/// Returns whether the value of an id is a name, and not a UUID in any textual form.
fn is_name(value: &Scalar) -> bool {
    text(value).is_some_and(|text| text.parse::<ResourceId>().is_err())
}

fn text(value: &Scalar) -> Option<&str> {
    match value {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

/// Returns a whole number, which may be written with a fraction of zero: for clients of the query string all numbers are real.
fn whole(value: &Scalar) -> Option<i64> {
    match value {
        Scalar::Integer(number) => Some(*number),
        Scalar::Text(text) => text.trim().parse().ok(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a number without fraction that is exact as a double"
        )]
        Scalar::Number(number) if number.fract() == 0.0 && number.abs() <= EXACT_MAX => {
            Some(*number as i64)
        }
        Scalar::Number(_) | Scalar::Null | Scalar::Bool(_) => None,
    }
}

fn number(value: &Scalar) -> Option<f64> {
    let number = match value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers of resources are doubles, and so are those they are compared with"
        )]
        Scalar::Integer(number) => *number as f64,
        Scalar::Number(number) => *number,
        Scalar::Text(text) => text.trim().parse().ok()?,
        Scalar::Null | Scalar::Bool(_) => return None,
    };
    number.is_finite().then_some(number)
}

fn length(value: &Scalar) -> Option<carbonara::Timespan> {
    match value {
        Scalar::Text(text) => timespan::parse(text).ok(),
        Scalar::Integer(_) | Scalar::Number(_) => timespan::from_seconds(number(value)?).ok(),
        Scalar::Null | Scalar::Bool(_) => None,
    }
}

impl Scalar {
    /// Returns the text that a text column is compared with, and that messages show. Null and flags look as clients of the
    /// reference implementation know them.
    fn to_text(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Number(number) => format!("{number:?}"),
            Self::Text(text) => text.clone(),
        }
    }
}

#[cfg(test)]
#[path = "bind_tests.rs"]
mod tests;
