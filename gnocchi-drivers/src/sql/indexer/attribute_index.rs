//! The index of attributes: finding the few resources that match without looking at all others.
//!
//! A page in its order is found fast when many resources match: one looks at them in that order until the page is full. When few match,
//! one had to look at nearly all; then it is faster to take those that the index of attributes names, and to sort them. So the index is
//! asked first how many it would name, up to a limit. What it names is compared with the whole condition either way.

use gnocchi_core::search::{Column, Comparison, Condition};

use super::conditions::{bound, symbol};
use crate::sql::error::SqlError;
use crate::sql::statement::{Row, Statement};

/// Up to how many resources the index may name to be worth its while for a short page. Looking one up costs about as much as looking
/// at five in order.
const SHORT_PAGE_HITS_MAX: usize = 4_000;

/// The same for long pages: they hold most matches, and to find those one had to look at nearly all others too.
const LONG_PAGE_HITS_MAX: usize = 20_000;

/// How many resources make a page long.
const LONG_PAGE: usize = 5_000;

/// How many parts of a condition the index is asked about.
const PROBES_MAX: usize = 4;

/// The parts of a condition that the index can answer, each of which every match fulfils.
pub(super) fn indexed_parts(condition: Option<&Condition>) -> Vec<&Condition> {
    let mut parts = Vec::new();
    collect(condition, &mut parts);
    parts
}

fn collect<'a>(condition: impl IntoIterator<Item = &'a Condition>, parts: &mut Vec<&'a Condition>) {
    for condition in condition {
        match condition {
            Condition::All(members) => collect(members, parts),
            Condition::Compare {
                column: Column::Attribute(_),
                comparison,
                ..
            } if *comparison != Comparison::NotEqual && parts.len() < PROBES_MAX => {
                parts.push(condition);
            }
            Condition::In {
                column: Column::Attribute(_),
                ..
            } if parts.len() < PROBES_MAX => parts.push(condition),
            _ => {}
        }
    }
}

/// Returns up to how many resources the index may name to be worth its while for a page of so many.
pub(super) fn hits_max(limit: usize) -> i64 {
    let hits = if limit < LONG_PAGE {
        SHORT_PAGE_HITS_MAX
    } else {
        LONG_PAGE_HITS_MAX
    };
    i64::try_from(hits).unwrap_or(i64::MAX)
}

/// Adds a column for each part: how many resources the index names, or one more than the limit.
pub(super) fn push_probes(
    statement: &mut Statement,
    resource_type: &str,
    parts: &[&Condition],
    hits_max: i64,
) {
    for part in parts {
        statement.push(", (SELECT COUNT(*) FROM (SELECT 1 FROM resource_attribute AS hit WHERE ");
        push_hits(statement, resource_type, part);
        statement.push(" LIMIT ");
        statement.push_value(hits_max + 1);
        statement.push(") AS probe)");
    }
}

/// Reads what [`push_probes`] asked and returns the part with the fewest hits, if they are few enough.
pub(super) fn read_probes<'a>(
    row: &mut Row,
    parts: &[&'a Condition],
    hits_max: i64,
) -> Result<Option<&'a Condition>, SqlError> {
    let mut best = None;
    let mut fewest = hits_max;
    for part in parts {
        let hits = row.integer("resource_attribute.value")?;
        if hits <= fewest {
            (best, fewest) = (Some(*part), hits);
        }
    }
    Ok(best)
}

/// Adds the condition for rows of the index with the alias `hit`.
pub(super) fn push_hits(statement: &mut Statement, resource_type: &str, part: &Condition) {
    let name = |column: &Column| match column {
        Column::Attribute(name) => name.clone(),
        _ => String::new(),
    };
    statement.push("hit.type = ");
    statement.push_value(resource_type);
    statement.push(" AND hit.attribute = ");
    match part {
        Condition::Compare {
            column,
            comparison,
            operand,
        } => {
            statement.push_value(name(column));
            statement.push(" AND hit.value");
            statement.push(symbol(*comparison));
            statement.push_value(bound(column, operand));
        }
        Condition::In { column, operands } => {
            statement.push_value(name(column));
            statement.push(" AND hit.value IN (");
            statement.push_list(", ", operands, |statement, operand| {
                statement.push_value(bound(column, operand));
            });
            statement.push(")");
        }
        // Only those two are among the parts.
        _ => statement.push("NULL"),
    }
}
