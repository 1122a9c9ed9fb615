//! Statements and rows of SQLite.

use async_trait::async_trait;
use sqlx::sqlite::{SqliteArguments, SqliteRow, SqliteValueRef};
use sqlx::{
    Arguments, AssertSqlSafe, Decode, Row as _, Sqlite, SqliteConnection, TypeInfo, ValueRef,
};

use crate::sql::database::Session;
use crate::sql::dialect::{Dialect, SQLITE};
use crate::sql::error::SqlError;
use crate::sql::statement::{Cell, Row, Statement, Value};

/// Statements that bind more than this are not kept prepared: they are large and seldom the same again.
const PERSISTENT_VALUES_MAX: usize = 32;

pub(super) struct SqliteSession<'c> {
    connection: &'c mut SqliteConnection,
}

impl<'c> SqliteSession<'c> {
    pub(super) fn new(connection: &'c mut SqliteConnection) -> Self {
        Self { connection }
    }
}

fn query(
    statement: Statement,
) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, SqlError> {
    let persistent = statement.values.len() <= PERSISTENT_VALUES_MAX;
    let arguments = bind(statement.values).map_err(sqlx::Error::Encode)?;
    // Text is spelt in this crate, values are bound.
    Ok(sqlx::query_with(AssertSqlSafe(statement.text), arguments).persistent(persistent))
}

fn bind(values: Vec<Value>) -> Result<SqliteArguments, sqlx::error::BoxDynError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Integer(number) => arguments.add(number)?,
            Value::Real(number) => arguments.add(number)?,
            Value::Text(text) => arguments.add(text)?,
            Value::Id(id) => arguments.add(id.map(|id| id.into_bytes().to_vec()))?,
        }
    }
    Ok(arguments)
}

fn decode(row: &SqliteRow) -> Result<Row, SqlError> {
    let cells = (0..row.len()).map(|index| decode_cell(row.try_get_raw(index)?));
    Ok(Row::new(cells.collect::<Result<_, SqlError>>()?))
}

fn decode_cell(value: SqliteValueRef<'_>) -> Result<Cell, SqlError> {
    fn get<'r, T: Decode<'r, Sqlite>>(value: SqliteValueRef<'r>) -> Result<T, SqlError> {
        Ok(T::decode(value).map_err(sqlx::Error::Decode)?)
    }
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let storage_class = value.type_info().name().to_owned();
    Ok(match storage_class.as_str() {
        "INTEGER" => Cell::Integer(get(value)?),
        "REAL" => Cell::Real(get(value)?),
        // Text that is not UTF-8 is left as bytes, so that the error of the reader names the column.
        "TEXT" => match String::from_utf8(get(value)?) {
            Ok(text) => Cell::Text(text),
            Err(error) => Cell::Bytes(error.into_bytes()),
        },
        _ => Cell::Bytes(get(value)?),
    })
}

#[async_trait]
impl Session for SqliteSession<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        &SQLITE
    }

    async fn fetch(&mut self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        let rows = query(statement)?.fetch_all(&mut *self.connection).await?;
        rows.iter().map(decode).collect()
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, SqlError> {
        Ok(query(statement)?
            .execute(&mut *self.connection)
            .await?
            .rows_affected())
    }

    async fn fetch_and_execute(
        &mut self,
        reading: Statement,
        writing: Statement,
    ) -> Result<Vec<Row>, SqlError> {
        // Each call waits for the thread of the connection, which costs more than most statements do. SQLite takes both as one.
        let mut both = reading;
        both.push("; ");
        both.push_statement(&writing);
        self.fetch(both).await
    }

    async fn run_script(&mut self, script: &'static str) -> Result<(), SqlError> {
        sqlx::raw_sql(script).execute(&mut *self.connection).await?;
        Ok(())
    }
}
