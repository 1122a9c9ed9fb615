//! What indexers are asked: filters whose names and values are known to make sense.

use std::cmp::Ordering;

use carbonara::{Timespan, Timestamp};
use uuid::Uuid;

use super::filter::Comparison;
use crate::model::stored_parts_of_creator;
use crate::policy::{CreatorProject, Visibility, VisibleResources};

/// The largest number of comparisons and connections in one condition. Databases limit how deep and how long a query may be;
/// this is half of what the strictest of them takes.
pub const PARTS_MAX: usize = 400;

/// The largest number of values in one condition, a third of what the strictest database takes.
pub const VALUES_MAX: usize = 10_000;

/// What a row of a listing of resources has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Column {
    /// The identifier.
    Id,
    /// The name of the type.
    Type,
    /// Who made it.
    Creator,
    /// The part of the creator before the first colon, all of it when there is none.
    CreatorUser,
    /// The part of the creator after the first colon, empty when there is none.
    CreatorProject,
    /// The user that it belongs to.
    UserId,
    /// The project that it belongs to.
    ProjectId,
    /// The id as its creator wrote it.
    OriginalResourceId,
    /// When its life began.
    StartedAt,
    /// When its life ended.
    EndedAt,
    /// When the revision began.
    RevisionStart,
    /// When the revision ended; null for the current one. History only.
    RevisionEnd,
    /// The number of the revision; -1 for the current one. History only.
    Revision,
    /// An attribute of the type.
    Attribute(String),
}

/// A value of the type of the column that it is compared with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Operand {
    /// Text, compared byte by byte.
    Text(String),
    /// A real number.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// A UUID, compared as the 128-bit number that it is.
    Id(Uuid),
    /// True or false; false comes first.
    Bool(bool),
    /// A timestamp of whole microseconds.
    Timestamp(Timestamp),
}

/// What rows must fulfil.
///
/// A part whose column is null is neither true nor false, and so is what is made of it, as in SQL. Rows match when the whole is
/// true.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// All of these; true when there are none.
    All(Vec<Condition>),
    /// At least one of these; false when there are none.
    Any(Vec<Condition>),
    /// Not this; neither true nor false when this is neither.
    Not(Box<Condition>),
    /// The column compares like this with the operand. A null column is not equal to every operand, and unknown otherwise.
    Compare {
        /// What stands left.
        column: Column,
        /// How.
        comparison: Comparison,
        /// What stands right.
        operand: Operand,
    },
    /// The column has one of these values, all of one kind.
    In {
        /// The column.
        column: Column,
        /// The values.
        operands: Vec<Operand>,
    },
    /// The column, a text, fits a pattern, whose parts are those of [`like_parts`](super::like_parts). Case counts.
    Like {
        /// The column.
        column: Column,
        /// The pattern.
        pattern: String,
    },
    /// The column is null.
    IsNull(Column),
    /// The time between start and end compares like this. As long as there is no end, it differs from every length and is unknown
    /// otherwise.
    Lifespan {
        /// How.
        comparison: Comparison,
        /// With what.
        length: Timespan,
    },
}

impl Operand {
    /// Compares with a value of the same kind; `None` for another kind, or a number that is none.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b),
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Id(a), Self::Id(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

impl Condition {
    /// Returns how many comparisons and connections there are.
    #[must_use]
    pub fn parts(&self) -> usize {
        1 + match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::parts).sum(),
            Self::Not(inner) => inner.parts(),
            _ => 0,
        }
    }

    /// Returns how many values there are to compare with.
    #[must_use]
    pub fn values(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::values).sum(),
            Self::Not(inner) => inner.values(),
            Self::In { operands, .. } => operands.len(),
            Self::IsNull(_) => 0,
            Self::Compare { .. } | Self::Like { .. } | Self::Lifespan { .. } => 1,
        }
    }

    fn equal(column: Column, text: &str) -> Self {
        Self::Compare {
            column,
            comparison: Comparison::Equal,
            operand: Operand::Text(text.to_owned()),
        }
    }
}

impl Visibility<VisibleResources> {
    /// Returns what resources must fulfil to be seen; `None` when all can be.
    #[must_use]
    pub fn condition(&self) -> Option<Condition> {
        match self {
            Self::Everything => None,
            Self::Only(visible) => Some(visible.condition()),
        }
    }
}

impl VisibleResources {
    /// Returns what resources must fulfil to be seen.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let mut parts = Vec::new();
        parts.extend(
            self.project_id
                .as_deref()
                .map(|project| Condition::equal(Column::ProjectId, project)),
        );
        parts.extend(self.creator_project.as_ref().map(CreatorProject::condition));
        parts.extend(
            self.creator
                .as_deref()
                .map(|creator| Condition::equal(Column::Creator, creator)),
        );
        Condition::Any(parts)
    }
}

impl CreatorProject {
    /// Returns whether this creator belongs to the project.
    #[must_use]
    pub fn has(&self, creator: Option<&str>) -> bool {
        match (self, creator) {
            (Self::Unknown, creator) => creator.is_none(),
            (Self::Project(_), None) => false,
            (Self::Project(project), Some(creator)) => {
                !project.is_empty() && stored_parts_of_creator(creator).1 == Some(project.as_str())
            }
        }
    }

    /// Returns the condition that the creator of a resource belongs to the project.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self {
            Self::Unknown => Condition::IsNull(Column::Creator),
            // Creators without a project share none.
            Self::Project(project) if project.is_empty() => Condition::Any(Vec::new()),
            Self::Project(project) => Condition::equal(Column::CreatorProject, project),
        }
    }
}
