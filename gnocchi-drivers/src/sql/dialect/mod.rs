//! Where databases differ in what they say and how they fail.

mod sqlite;

use std::fmt;

use gnocchi_core::error::BackendErrorKind;
use sqlx::error::DatabaseError;
use uuid::Uuid;

use super::statement::Statement;

pub(super) use sqlite::SQLITE;

/// The part of SQL that is not portable.
pub(super) trait Dialect: fmt::Debug + Send + Sync {
    /// Returns the name of the driver for error messages.
    fn driver(&self) -> &'static str;

    /// Returns the scripts that lead from nothing to the current schema, one a version.
    fn migrations(&self) -> &'static [&'static str];

    /// Adds a set of ids in parentheses, for use after `IN`. Not empty.
    fn push_ids(&self, statement: &mut Statement, ids: &mut dyn ExactSizeIterator<Item = Uuid>);

    /// Adds a set of texts in parentheses, for use after `IN`. Not empty.
    fn push_texts(&self, statement: &mut Statement, texts: &mut dyn ExactSizeIterator<Item = &str>);

    /// Adds a table expression with the columns `id` and `name`, to be given an alias.
    fn push_named(&self, statement: &mut Statement, names: &mut dyn Iterator<Item = (Uuid, &str)>);

    /// Adds an expression for one attribute out of a JSON column: null, text, a number, or 0 and 1 for a flag, compared exactly.
    fn push_attribute(&self, statement: &mut Statement, column: &str, name: &str);

    /// Returns the name of the function that makes a JSON list of its arguments.
    fn json_row(&self) -> &'static str;

    /// Returns the name of the aggregate function that makes a JSON list of one value a row, in the order in which rows come out of a
    /// subquery with an order and a limit.
    fn json_list(&self) -> &'static str;

    /// Returns the name of the function that writes bytes as hexadecimal digits.
    fn hexadecimal(&self) -> &'static str;

    /// Returns the aggregate expression that makes a text of a JSON object of metrics: names and the hexadecimal digits of their ids.
    fn named_metrics(&self) -> &'static str;

    /// Adds the test whether what was added before fits a pattern, whose parts are those of [`gnocchi_core::search::like_parts`]; case
    /// counts.
    fn push_like(&self, statement: &mut Statement, pattern: &str);

    /// Adds an expression for the part of a text before its first colon: all of it when there is none.
    fn push_before_colon(&self, statement: &mut Statement, column: &str);

    /// Adds an expression for the part of a text after its first colon: empty when there is none.
    fn push_after_colon(&self, statement: &mut Statement, column: &str);

    /// Adds an expression for a JSON column without some entries and with others where it has none: `fills` is a JSON object,
    /// `removed` one whose values are null.
    fn push_changed_attributes(
        &self,
        statement: &mut Statement,
        column: &str,
        fills: String,
        removed: String,
    );

    /// Returns a statement that looks for damage in the whole file: a text a row, or one row with `ok`.
    fn file_check(&self) -> &'static str;

    /// Returns a statement that finds rows that refer to nothing: table, number of the row or null, table referred to, column.
    fn reference_check(&self) -> &'static str;

    /// Returns a statement that finds attributes of resources that their index misses: number of the row, name of the attribute.
    fn attribute_index_check(&self) -> &'static str;

    /// Returns the kind of failure that a code of the database stands for.
    fn error_kind(&self, error: &dyn DatabaseError) -> BackendErrorKind;
}
