//! Looking for damage: the file as the database sees it, then every row as this program reads it.

use std::collections::BTreeMap;
use std::error::Error;

use gnocchi_core::error::{BackendErrorKind, IndexerError};
use gnocchi_core::model::ResourceType;

use super::archive_policies::{check_policy, check_rule, select_all_policies};
use super::metrics::{METRIC_COLUMNS, check_metric};
use super::resource_rows::{RESOURCE_COLUMNS, StoredResource};
use super::resource_types::read_type;
use crate::sql::SqlIndexer;
use crate::sql::database::{Access, Session};
use crate::sql::error::SqlError;
use crate::sql::schema::require_current;
use crate::sql::statement::{Row, Statement};

/// How many problems are listed: with so many, restoring a backup is the way out.
const PROBLEMS_MAX: usize = 100;

/// How many rows of a large table are in memory at once.
const ROWS_PER_PAGE: i64 = 4096;

impl SqlIndexer {
    /// Looks for damage and describes what it finds, a line each with table and column; empty when the database is sound.
    ///
    /// Reads all of the database: its pages and indexes, the references between rows, and every row. A file that is no database is
    /// one problem. Not all problems are listed when there are very many.
    ///
    /// # Errors
    /// [`IndexerError::Backend`] when the database cannot be looked at: it is absent, not to be read, or of another version.
    pub async fn check_integrity(&self) -> Result<Vec<String>, IndexerError> {
        let checked = self
            .database
            .call(
                Access::Snapshot,
                "check the integrity",
                (),
                |session, ()| Box::pin(check(session)),
            )
            .await;
        match checked {
            Err(IndexerError::Backend(error)) if error.kind() == BackendErrorKind::Corrupt => {
                Ok(vec![with_causes(&error)])
            }
            checked => checked,
        }
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The problems found so far.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn is_full(&self) -> bool {
        self.0.len() >= PROBLEMS_MAX
    }

    fn add(&mut self, problem: String) {
        if !self.is_full() {
            self.0.push(problem);
        }
    }

    /// Notes damage, and passes on what is none.
    fn collect<T>(
        &mut self,
        session: &dyn Session,
        place: &str,
        result: Result<T, SqlError>,
    ) -> Result<Option<T>, SqlError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind(session.dialect()) == BackendErrorKind::Corrupt => {
                self.add(format!("{place}: {}", with_causes(&error)));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

async fn check(session: &mut dyn Session) -> Result<Vec<String>, SqlError> {
    require_current(session).await?;
    let mut problems = Problems::default();
    check_file(session, &mut problems).await?;
    check_references(session, &mut problems).await?;
    let types = check_types(session, &mut problems).await?;
    check_small_tables(session, &mut problems).await?;
    check_large_table(
        session,
        &mut problems,
        "metric",
        &format!("SELECT rowid, {METRIC_COLUMNS}, archive_policy_name FROM metric"),
        check_metric,
    )
    .await?;
    check_large_table(
        session,
        &mut problems,
        "resource",
        &format!("SELECT rowid, {RESOURCE_COLUMNS} FROM resource"),
        |row| StoredResource::read(row)?.check_attributes(&types),
    )
    .await?;
    check_attribute_index(session, &mut problems).await?;
    check_large_table(
        session,
        &mut problems,
        "resource_revision",
        &format!("SELECT rowid, {RESOURCE_COLUMNS}, revision_end, number FROM resource_revision"),
        |row| {
            let mut revision = StoredResource::read(row)?;
            revision.read_revision(row)?;
            revision.check_attributes(&types)
        },
    )
    .await?;
    Ok(problems.0)
}

/// Has the database look at its pages and indexes.
async fn check_file(session: &mut dyn Session, problems: &mut Problems) -> Result<(), SqlError> {
    let found = session
        .fetch(Statement::new(session.dialect().file_check()))
        .await;
    let rows = problems.collect(&*session, "the file of the database", found)?;
    for mut row in rows.into_iter().flatten() {
        let problem = row.text("integrity_check")?;
        if problem != "ok" {
            problems.add(format!("the file of the database: {problem}"));
        }
    }
    Ok(())
}

/// Looks for rows that refer to rows that are not there.
async fn check_references(
    session: &mut dyn Session,
    problems: &mut Problems,
) -> Result<(), SqlError> {
    let found = session
        .fetch(Statement::new(session.dialect().reference_check()))
        .await;
    let rows = problems.collect(&*session, "references between tables", found)?;
    for mut row in rows.into_iter().flatten() {
        let table = row.text("foreign_key_check.table")?;
        let row_number = row.optional_integer("foreign_key_check.rowid")?;
        let parent = row.text("foreign_key_check.parent")?;
        let column = row.optional_text("foreign_key_list.from")?;
        let place = place(&table, row_number);
        let column = column.unwrap_or_else(|| "a column".to_owned());
        problems.add(format!(
            "{place}: {table}.{column} names no row of table {parent}"
        ));
    }
    Ok(())
}

/// Looks for attributes that searches would miss.
async fn check_attribute_index(
    session: &mut dyn Session,
    problems: &mut Problems,
) -> Result<(), SqlError> {
    let found = session
        .fetch(Statement::new(session.dialect().attribute_index_check()))
        .await;
    let rows = problems.collect(&*session, "table resource_attribute", found)?;
    for mut row in rows.into_iter().flatten() {
        let place = place("resource", row.optional_integer("resource.rowid")?);
        let name = row.text("resource.attributes")?;
        problems.add(format!(
            "{place}: resource.attributes has {name}, which table resource_attribute misses"
        ));
    }
    Ok(())
}

fn place(table: &str, row: Option<i64>) -> String {
    match row {
        Some(row) => format!("table {table}, row {row}"),
        None => format!("table {table}"),
    }
}

/// Returns the types that can be read.
async fn check_types(
    session: &mut dyn Session,
    problems: &mut Problems,
) -> Result<BTreeMap<String, ResourceType>, SqlError> {
    const TABLE: &str = "table resource_type";
    let found = session
        .fetch(Statement::new("SELECT name, attributes FROM resource_type"))
        .await;
    let mut types = BTreeMap::new();
    let rows = problems.collect(&*session, TABLE, found)?;
    for row in rows.into_iter().flatten() {
        if let Some(resource_type) = problems.collect(&*session, TABLE, read_type(row))? {
            types.insert(resource_type.name().to_owned(), resource_type);
        }
    }
    Ok(types)
}

/// Reads a row for its errors only.
type CheckRow = fn(Row) -> Result<(), SqlError>;

async fn check_small_tables(
    session: &mut dyn Session,
    problems: &mut Problems,
) -> Result<(), SqlError> {
    let tables: [(&str, Statement, CheckRow); 2] = [
        ("table archive_policy", select_all_policies(), check_policy),
        (
            "table archive_policy_rule",
            Statement::new(
                "SELECT name, archive_policy_name, metric_pattern FROM archive_policy_rule",
            ),
            check_rule,
        ),
    ];
    for (place, statement, check) in tables {
        let found = session.fetch(statement).await;
        let rows = problems.collect(&*session, place, found)?;
        for row in rows.into_iter().flatten() {
            problems.collect(&*session, place, check(row))?;
        }
    }
    Ok(())
}

/// Reads a table page by page; `select` gives the number of the row first.
async fn check_large_table(
    session: &mut dyn Session,
    problems: &mut Problems,
    table: &str,
    select: &str,
    check: impl Fn(&mut Row) -> Result<(), SqlError> + Send,
) -> Result<(), SqlError> {
    let mut last = None;
    while !problems.is_full() {
        let mut statement = Statement::default();
        statement.push(select);
        if let Some(last) = last {
            statement.push(" WHERE rowid > ");
            statement.push_value(last);
        }
        statement.push(" ORDER BY rowid LIMIT ");
        statement.push_value(ROWS_PER_PAGE);
        let found = session.fetch(statement).await;
        let rows = problems.collect(&*session, &place(table, None), found)?;
        let rows = rows.unwrap_or_default();
        if rows.is_empty() {
            break;
        }
        for mut row in rows {
            let number = row.integer("rowid")?;
            last = Some(number);
            if let Err(error) = check(&mut row) {
                problems.collect::<()>(&*session, &place(table, Some(number)), Err(error))?;
            }
        }
    }
    Ok(())
}
