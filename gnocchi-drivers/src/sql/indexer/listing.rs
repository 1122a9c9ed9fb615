//! Ordered pages.
//!
//! The page after a marker begins where the order says: first the keys of the marked row are read, then the rows that come after
//! these keys. Since the keys end with unique ones, no two rows share a place, whatever is null.

use gnocchi_core::model::{NullOrder, SortDirection};

use crate::sql::error::SqlError;
use crate::sql::statement::{Row, Statement, Value};

/// One key of an order, as an expression.
#[derive(Debug)]
pub(super) struct OrderKey {
    pub(super) expression: Statement,
    /// The column that it comes from, for errors.
    pub(super) column: &'static str,
    pub(super) nullability: Nullability,
    pub(super) direction: SortDirection,
    pub(super) nulls: NullOrder,
}

/// Whether a key can be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nullability {
    NotNull,
    Nullable,
}

/// Adds the keys, for a `SELECT` of the marked row.
pub(super) fn push_keys(statement: &mut Statement, order: &[OrderKey]) {
    statement.push_list(", ", order, |statement, key| {
        statement.push_statement(&key.expression);
    });
}

/// Reads the keys of the marked row.
pub(super) fn read_keys(mut row: Row, order: &[OrderKey]) -> Result<Vec<Option<Value>>, SqlError> {
    order
        .iter()
        .map(|key| row.cell().into_value(key.column))
        .collect()
}

/// Adds an `ORDER BY`.
pub(super) fn push_order(statement: &mut Statement, order: &[OrderKey]) {
    statement.push(" ORDER BY ");
    statement.push_list(", ", order, |statement, key| {
        if key.nullability == Nullability::Nullable {
            statement.push_statement(&key.expression);
            statement.push(if key.nulls == NullOrder::First {
                " IS NOT NULL, "
            } else {
                " IS NULL, "
            });
        }
        statement.push_statement(&key.expression);
        if key.direction == SortDirection::Descending {
            statement.push(" DESC");
        }
    });
}

/// Adds a limit.
pub(super) fn push_limit(statement: &mut Statement, limit: usize) {
    statement.push(" LIMIT ");
    statement.push_value(i64::try_from(limit).unwrap_or(i64::MAX));
}

/// Adds the condition that a row comes after the marked one.
pub(super) fn push_after(statement: &mut Statement, order: &[OrderKey], marked: &[Option<Value>]) {
    let Some(first) = order.first() else { return };
    let uniform = order
        .iter()
        .all(|key| key.nullability == Nullability::NotNull && key.direction == first.direction);
    if uniform && marked.iter().all(Option::is_some) {
        // One comparison of rows, which an index on these keys answers.
        statement.push("(");
        push_keys(statement, order);
        statement.push(if first.direction == SortDirection::Ascending {
            ") > ("
        } else {
            ") < ("
        });
        statement.push_list(", ", marked.iter().flatten(), |statement, value| {
            statement.push_value(value.clone());
        });
        statement.push(")");
        return;
    }
    statement.push("(");
    statement.push_list(" OR ", 0..order.len(), |statement, index| {
        statement.push("(");
        for (key, value) in order.iter().zip(marked).take(index) {
            push_same(statement, key, value.as_ref());
            statement.push(" AND ");
        }
        push_later(statement, &order[index], marked[index].as_ref());
        statement.push(")");
    });
    statement.push(")");
}

fn push_same(statement: &mut Statement, key: &OrderKey, marked: Option<&Value>) {
    statement.push_statement(&key.expression);
    match marked {
        None => statement.push(" IS NULL"),
        Some(value) => {
            statement.push(" = ");
            statement.push_value(value.clone());
        }
    }
}

fn push_later(statement: &mut Statement, key: &OrderKey, marked: Option<&Value>) {
    match (marked, key.nulls) {
        (None, NullOrder::First) => {
            statement.push_statement(&key.expression);
            statement.push(" IS NOT NULL");
        }
        // Nothing comes after nulls that stand last.
        (None, NullOrder::Last) => statement.push("1 = 0"),
        (Some(value), nulls) => {
            statement.push("(");
            statement.push_statement(&key.expression);
            statement.push(if key.direction == SortDirection::Ascending {
                " > "
            } else {
                " < "
            });
            statement.push_value(value.clone());
            if key.nullability == Nullability::Nullable && nulls == NullOrder::Last {
                statement.push(" OR ");
                statement.push_statement(&key.expression);
                statement.push(" IS NULL");
            }
            statement.push(")");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(
        name: &'static str,
        nullability: Nullability,
        direction: SortDirection,
        nulls: NullOrder,
    ) -> OrderKey {
        OrderKey {
            expression: Statement::new(name),
            column: name,
            nullability,
            direction,
            nulls,
        }
    }

    fn check(order: &[OrderKey], marked: &[Option<Value>], after: &str, ordered: &str) {
        let mut statement = Statement::default();
        push_after(&mut statement, order, marked);
        assert_eq!(statement.text, after);
        assert_eq!(statement.values.len(), after.matches('?').count());
        let mut statement = Statement::default();
        push_order(&mut statement, order);
        push_limit(&mut statement, 3);
        assert_eq!(statement.text, ordered);
    }

    #[test]
    fn keys_without_nulls_are_compared_as_rows() {
        use NullOrder::Last;
        use Nullability::NotNull;
        use SortDirection::{Ascending, Descending};
        let marked = [Some(1.into()), Some(2.into())];
        let order = [
            key("a", NotNull, Ascending, Last),
            key("b", NotNull, Ascending, Last),
        ];
        check(&order, &marked, "(a, b) > (?, ?)", " ORDER BY a, b LIMIT ?");
        let order = [
            key("a", NotNull, Descending, Last),
            key("b", NotNull, Descending, Last),
        ];
        check(
            &order,
            &marked,
            "(a, b) < (?, ?)",
            " ORDER BY a DESC, b DESC LIMIT ?",
        );
        let order = [
            key("a", NotNull, Descending, Last),
            key("b", NotNull, Ascending, Last),
        ];
        check(
            &order,
            &marked,
            "(((a < ?)) OR (a = ? AND (b > ?)))",
            " ORDER BY a DESC, b LIMIT ?",
        );
    }

    #[test]
    fn nulls_have_a_place() {
        use NullOrder::{First, Last};
        use Nullability::{NotNull, Nullable};
        use SortDirection::Ascending;
        let order = |nulls| {
            [
                key("a", Nullable, Ascending, nulls),
                key("b", NotNull, Ascending, Last),
            ]
        };
        let ordered_first = " ORDER BY a IS NOT NULL, a, b LIMIT ?";
        let ordered_last = " ORDER BY a IS NULL, a, b LIMIT ?";
        let (value, null) = ([Some(1.into()), Some(2.into())], [None, Some(2.into())]);
        check(
            &order(First),
            &value,
            "(((a > ?)) OR (a = ? AND (b > ?)))",
            ordered_first,
        );
        check(
            &order(Last),
            &value,
            "(((a > ? OR a IS NULL)) OR (a = ? AND (b > ?)))",
            ordered_last,
        );
        check(
            &order(First),
            &null,
            "((a IS NOT NULL) OR (a IS NULL AND (b > ?)))",
            ordered_first,
        );
        check(
            &order(Last),
            &null,
            "((1 = 0) OR (a IS NULL AND (b > ?)))",
            ordered_last,
        );
    }
}
