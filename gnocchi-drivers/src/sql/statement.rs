//! Statements, what is bound to them, and the rows that come back, the same for every database.

use std::borrow::Cow;
use std::fmt;

use carbonara::Timestamp;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use uuid::Uuid;

use super::error::SqlError;

/// A bound value; the variant says its type also when it is null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Id(Option<Uuid>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident),*) => { $(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some(value))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value)
            }
        }
    )* };
}

value_from!(i64 => Integer, String => Text, Uuid => Id);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        Self::Integer(Some(microseconds(moment)))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(moment: Option<Timestamp>) -> Self {
        Self::Integer(moment.map(microseconds))
    }
}

/// A statement with its bound values. Places are written as `?`.
#[derive(Debug, Clone, Default)]
pub(super) struct Statement {
    pub(super) text: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

impl Statement {
    pub(super) fn new(text: &'static str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            values: Vec::new(),
        }
    }

    /// Binds a value to the next place.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds text. It must be spelt in this crate: what comes from outside is bound.
    pub(super) fn push(&mut self, text: &str) {
        self.text.to_mut().push_str(text);
    }

    /// Adds a place and its value.
    pub(super) fn push_value(&mut self, value: impl Into<Value>) {
        self.push("?");
        self.values.push(value.into());
    }

    /// Adds another statement.
    pub(super) fn push_statement(&mut self, other: &Statement) {
        self.push(&other.text);
        self.values.extend_from_slice(&other.values);
    }

    /// Adds parts with `separator` between them.
    pub(super) fn push_list<T>(
        &mut self,
        separator: &str,
        parts: impl IntoIterator<Item = T>,
        mut push: impl FnMut(&mut Self, T),
    ) {
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                self.push(separator);
            }
            push(self, part);
        }
    }
}

/// What stands in one column of a row, or in one place of a row that is a JSON list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl Visitor<'_> for Scalar {
            type Value = Cell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, a number or a text")
            }

            fn visit_unit<E>(self) -> Result<Cell, E> {
                Ok(Cell::Null)
            }

            fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
                Ok(Cell::Integer(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Cell, E> {
                i64::try_from(number).map(Cell::Integer).map_err(E::custom)
            }

            fn visit_f64<E>(self, number: f64) -> Result<Cell, E> {
                Ok(Cell::Real(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
                Ok(Cell::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Scalar)
    }
}

impl Cell {
    fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "an integer",
            Self::Real(_) => "a real number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }

    /// Turns what was read into something to compare with; `None` for null.
    pub(super) fn into_value(self, column: &'static str) -> Result<Option<Value>, SqlError> {
        Ok(Some(match self {
            Self::Null => return Ok(None),
            Self::Integer(number) => number.into(),
            Self::Real(number) => Value::Real(Some(number)),
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => id_from(&bytes, column)?.into(),
        }))
    }
}

/// A row, read column by column from the left. Columns are named `table.column` for the errors.
#[derive(Debug)]
pub(super) struct Row(std::vec::IntoIter<Cell>);

impl Row {
    pub(super) fn new(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter())
    }

    /// Returns what was not taken yet.
    pub(super) fn into_cells(self) -> Vec<Cell> {
        self.0.collect()
    }

    /// Returns how long the texts are that are not read yet, in bytes.
    pub(super) fn text_bytes(&self) -> usize {
        let cells = self.0.as_slice().iter();
        let lengths = cells.map(|cell| match cell {
            Cell::Text(text) => text.len(),
            _ => 0,
        });
        lengths.sum()
    }

    pub(super) fn cell(&mut self) -> Cell {
        self.0
            .next()
            .expect("statements select as many columns as are read")
    }

    pub(super) fn optional_integer(
        &mut self,
        column: &'static str,
    ) -> Result<Option<i64>, SqlError> {
        match self.cell() {
            Cell::Null => Ok(None),
            Cell::Integer(number) => Ok(Some(number)),
            other => Err(SqlError::corrupt(column, other.describe())),
        }
    }

    pub(super) fn optional_text(
        &mut self,
        column: &'static str,
    ) -> Result<Option<String>, SqlError> {
        match self.cell() {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            other => Err(SqlError::corrupt(column, other.describe())),
        }
    }

    pub(super) fn optional_id(&mut self, column: &'static str) -> Result<Option<Uuid>, SqlError> {
        match self.cell() {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => id_from(&bytes, column).map(Some),
            Cell::Text(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                id_of_digits(&digits, column).map(Some)
            }
            other => Err(SqlError::corrupt(column, other.describe())),
        }
    }

    pub(super) fn optional_moment(
        &mut self,
        column: &'static str,
    ) -> Result<Option<Timestamp>, SqlError> {
        self.optional_integer(column)?
            .map(|number| moment(number, column))
            .transpose()
    }

    pub(super) fn integer(&mut self, column: &'static str) -> Result<i64, SqlError> {
        self.optional_integer(column)?
            .ok_or_else(|| SqlError::corrupt(column, "null"))
    }

    pub(super) fn text(&mut self, column: &'static str) -> Result<String, SqlError> {
        self.optional_text(column)?
            .ok_or_else(|| SqlError::corrupt(column, "null"))
    }

    pub(super) fn id(&mut self, column: &'static str) -> Result<Uuid, SqlError> {
        self.optional_id(column)?
            .ok_or_else(|| SqlError::corrupt(column, "null"))
    }

    pub(super) fn moment(&mut self, column: &'static str) -> Result<Timestamp, SqlError> {
        self.optional_moment(column)?
            .ok_or_else(|| SqlError::corrupt(column, "null"))
    }
}

/// Reads an id out of JSON, which has no bytes.
pub(super) fn id_of_digits(digits: &str, column: &'static str) -> Result<Uuid, SqlError> {
    Uuid::try_parse(digits)
        .map_err(|_| SqlError::corrupt(column, format!("{} bytes instead of 16", digits.len() / 2)))
}

fn id_from(bytes: &[u8], column: &'static str) -> Result<Uuid, SqlError> {
    Uuid::from_slice(bytes)
        .map_err(|_| SqlError::corrupt(column, format!("{} bytes instead of 16", bytes.len())))
}

const NANOSECONDS_PER_MICROSECOND: i64 = 1000;

/// Returns the whole microseconds since the epoch.
pub(super) fn microseconds(moment: Timestamp) -> i64 {
    moment.as_nanosecond() / NANOSECONDS_PER_MICROSECOND
}

/// Reads microseconds since the epoch.
pub(super) fn moment(microseconds: i64, column: &'static str) -> Result<Timestamp, SqlError> {
    let nanoseconds = microseconds.checked_mul(NANOSECONDS_PER_MICROSECOND);
    nanoseconds
        .and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok())
        .ok_or_else(|| {
            SqlError::corrupt(
                column,
                format!("{microseconds}, which is no valid timestamp"),
            )
        })
}

#[cfg(test)]
mod tests {
    use gnocchi_core::model::whole_microseconds;

    use super::*;

    #[test]
    fn odd_cells_are_reported_with_their_column() {
        let check = |cell: Cell, read: fn(&mut Row) -> Result<(), SqlError>, expected: &str| {
            let error = read(&mut Row::new(vec![cell])).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(
            Cell::Null,
            |row| row.text("metric.name").map(drop),
            "metric.name holds null",
        );
        check(
            Cell::Integer(1),
            |row| row.text("metric.name").map(drop),
            "metric.name holds an integer",
        );
        check(
            Cell::Bytes(vec![0; 15]),
            |row| row.id("metric.id").map(drop),
            "metric.id holds 15 bytes instead of 16",
        );
        check(
            Cell::Text("x".into()),
            |row| row.id("metric.id").map(drop),
            "metric.id holds text",
        );
        check(
            Cell::Real(1.5),
            |row| row.integer("metric.status").map(drop),
            "metric.status holds a real number",
        );
        check(
            Cell::Integer(-1),
            |row| row.moment("resource.started_at").map(drop),
            "resource.started_at holds -1, which is no valid timestamp",
        );
        check(
            Cell::Integer(i64::MAX),
            |row| row.optional_moment("resource.ended_at").map(drop),
            "resource.ended_at holds 9223372036854775807, which is no valid timestamp",
        );
    }

    #[test]
    fn timestamps_are_stored_in_microseconds() {
        let at = |nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap();
        assert_eq!(microseconds(at(1_999)), 1);
        assert_eq!(moment(1, "x").unwrap(), at(1_000));
        assert_eq!(
            moment(microseconds(Timestamp::MAX), "x").unwrap(),
            whole_microseconds(Timestamp::MAX)
        );
    }
}
