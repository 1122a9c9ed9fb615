//! Conditions as SQL. Every value is bound; only names of columns are spelt out.

use gnocchi_core::search::{Column, Comparison, Condition, Operand};
use uuid::Uuid;

use crate::sql::dialect::Dialect;
use crate::sql::statement::{Statement, Value};

/// The rows that conditions are about: the alias of their table, and how a database spells things.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) alias: &'static str,
    pub(super) dialect: &'a dyn Dialect,
}

impl Rows<'_> {
    /// Adds a condition, in parentheses where it needs some.
    pub(super) fn push(self, statement: &mut Statement, condition: &Condition) {
        match condition {
            Condition::All(parts) => self.push_junction(statement, parts, " AND ", "1 = 1"),
            Condition::Any(parts) => self.push_junction(statement, parts, " OR ", "1 = 0"),
            Condition::Not(inner) => {
                statement.push("NOT (");
                self.push(statement, inner);
                statement.push(")");
            }
            Condition::IsNull(column) => {
                self.push_column(statement, column);
                statement.push(" IS NULL");
            }
            Condition::Compare {
                column,
                comparison,
                operand,
            } => {
                self.push_column(statement, column);
                statement.push(symbol_with_null(*comparison));
                statement.push_value(bound(column, operand));
            }
            Condition::In { column, operands } => self.push_in(statement, column, operands),
            Condition::Like { column, pattern } => {
                self.push_column(statement, column);
                self.dialect.push_like(statement, pattern);
            }
            Condition::Lifespan { comparison, length } => {
                // Timestamps are microseconds; a thousand times the longest life just fits 63 bits.
                for part in [
                    "(",
                    self.alias,
                    ".ended_at - ",
                    self.alias,
                    ".started_at) * 1000",
                ] {
                    statement.push(part);
                }
                statement.push(symbol_with_null(*comparison));
                statement.push_value(length.as_nanosecond());
            }
            // Conditions that this program doesn't know yet match nothing rather than everything.
            _ => statement.push("1 = 0"),
        }
    }

    fn push_junction(
        self,
        statement: &mut Statement,
        parts: &[Condition],
        operator: &str,
        of_none: &str,
    ) {
        if parts.is_empty() {
            statement.push(of_none);
            return;
        }
        statement.push("(");
        statement.push_list(operator, parts, |statement, part| {
            self.push(statement, part);
        });
        statement.push(")");
    }

    fn push_in(self, statement: &mut Statement, column: &Column, operands: &[Operand]) {
        self.push_column(statement, column);
        statement.push(" IN ");
        let ids: Vec<Uuid> = operands.iter().filter_map(id).collect();
        if *column == Column::Id && !ids.is_empty() {
            self.dialect.push_ids(statement, &mut ids.into_iter());
            return;
        }
        statement.push("(");
        statement.push_list(", ", operands, |statement, operand| {
            statement.push_value(bound(column, operand));
        });
        statement.push(")");
    }

    fn push_column(self, statement: &mut Statement, column: &Column) {
        let name = match column {
            Column::Id => "id",
            Column::Type => "resource_type",
            Column::Creator => "creator",
            Column::UserId => "user_id",
            Column::ProjectId => "project_id",
            Column::OriginalResourceId => "original_resource_id",
            Column::StartedAt => "started_at",
            Column::EndedAt => "ended_at",
            Column::RevisionStart => "revision_start",
            Column::RevisionEnd => "revision_end",
            Column::Revision => "revision",
            Column::Attribute(name) => {
                let document = format!("{}.attributes", self.alias);
                self.dialect.push_attribute(statement, &document, name);
                return;
            }
            Column::CreatorUser => {
                let creator = format!("{}.creator", self.alias);
                self.dialect.push_before_colon(statement, &creator);
                return;
            }
            Column::CreatorProject => {
                let creator = format!("{}.creator", self.alias);
                self.dialect.push_after_colon(statement, &creator);
                return;
            }
        };
        for part in [self.alias, ".", name] {
            statement.push(part);
        }
    }
}

/// As [`symbol`], but what is null differs from every value.
fn symbol_with_null(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::NotEqual => " IS DISTINCT FROM ",
        other => symbol(other),
    }
}

pub(super) fn symbol(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::NotEqual => " <> ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
    }
}

fn id(operand: &Operand) -> Option<Uuid> {
    match operand {
        Operand::Id(id) => Some(*id),
        _ => None,
    }
}

/// Returns an operand as the values of a column are stored.
pub(super) fn bound(column: &Column, operand: &Operand) -> Value {
    match operand {
        Operand::Text(text) => text.as_str().into(),
        Operand::Number(number) => Value::Real(Some(*number)),
        Operand::Integer(number) => (*number).into(),
        // The digits of a UUID are ordered as its bytes are.
        Operand::Id(id) if matches!(column, Column::Attribute(_)) => id.to_string().into(),
        Operand::Id(id) => (*id).into(),
        Operand::Bool(flag) => i64::from(*flag).into(),
        Operand::Timestamp(timestamp) => (*timestamp).into(),
        _ => Value::Integer(None),
    }
}
