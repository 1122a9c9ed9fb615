//! Saving what is readable of a damaged database into a new one, row by row.

use std::fs;
use std::path::Path;

use gnocchi_core::error::{BackendErrorKind, IndexerError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use uuid::Uuid;

use super::session::SqliteSession;
use super::{beside, writing_options};
use crate::sql::database::Session;
use crate::sql::dialect::SQLITE;
use crate::sql::error::SqlError;
use crate::sql::schema::migrate;
use crate::sql::statement::{Cell, Statement, Value};
use crate::sql::{SqlIndexer, SqliteConfig};

/// How many rows are read at a time.
const ROWS_PER_PAGE: i64 = 256;

/// How far behind a place that cannot be read the next one is looked for at most, in rows.
const STEP_MAX: i64 = 1 << 40;

/// A table, and what its rows are found by: their number, or the key of a table without numbers.
struct Table {
    name: &'static str,
    columns: &'static str,
    key: &'static str,
}

/// All tables with data of their own, those first that others refer to.
const TABLES: [Table; 6] = [
    Table {
        name: "archive_policy",
        columns: "name, back_window, definition, aggregation_methods",
        key: "name",
    },
    Table {
        name: "archive_policy_rule",
        columns: "name, archive_policy_name, metric_pattern",
        key: "name",
    },
    Table {
        name: "resource_type",
        columns: "name, attributes",
        key: "name",
    },
    Table {
        name: "resource",
        columns: "id, resource_type, creator, original_resource_id, started_at, ended_at, revision_start, user_id, project_id, attributes",
        key: "rowid",
    },
    Table {
        name: "resource_revision",
        columns: "revision, id, resource_type, creator, original_resource_id, started_at, ended_at, revision_start, revision_end, user_id, project_id, attributes, number",
        key: "rowid",
    },
    Table {
        name: "metric",
        columns: "id, creator, name, unit, resource_id, archive_policy_name, status",
        key: "rowid",
    },
];

/// Copies an indexer that does not change to a path where there is none. Of a damaged one, what is readable is copied row by row; what was
/// not is described in the result.
///
/// # Errors
/// [`IndexerError::Backend`] when the new one cannot be written.
pub(crate) async fn salvage(from: &Path, to: &Path) -> Result<Vec<String>, IndexerError> {
    let looked_at = SqlIndexer::open_immutable(SqliteConfig::new(from));
    let has_log = fs::metadata(beside(from, "-wal")).is_ok_and(|log| log.len() > 0);
    let problems = if has_log {
        // A copy, which may be changed: its log is filed when it is closed.
        let copy = SqlIndexer::open(SqliteConfig::new(from));
        let problems = copy.check_integrity().await;
        copy.close().await;
        problems
    } else {
        let problems = looked_at.check_integrity().await;
        looked_at.close().await;
        problems
    };
    let problems = match problems {
        Ok(problems) => problems,
        // Of the version before, or without tables.
        Err(IndexerError::Backend(error)) if error.kind() == BackendErrorKind::Config => Vec::new(),
        Err(error) => vec![error.to_string()],
    };
    let failed = |error: SqlError| {
        error.into_indexer_error(&SQLITE, format!("save the database into {}", to.display()))
    };
    if problems.is_empty() {
        fs::copy(from, to).map_err(|error| failed(SqlError::Folder(error)))?;
        return Ok(problems);
    }
    let mut losses = problems;
    copy_rows(from, to, &mut losses).await.map_err(failed)?;
    Ok(losses)
}

async fn copy_rows(from: &Path, to: &Path, losses: &mut Vec<String>) -> Result<(), SqlError> {
    let mut target = writing_options(to).connect().await?;
    migrate(&mut SqliteSession::new(&mut target)).await?;
    let options = SqliteConnectOptions::new()
        .filename(from)
        .read_only(true)
        .immutable(true)
        .disable_statement_logging();
    match options.connect().await {
        Ok(mut source) => {
            for table in &TABLES {
                Copy {
                    table,
                    source: &mut source,
                    target: &mut target,
                    losses,
                    rows: 0,
                }
                .run()
                .await?;
            }
            source.close().await.ok();
        }
        Err(error) => losses.push(format!("the database cannot be opened at all: {error}")),
    }
    target.close().await?;
    Ok(())
}

/// The key of a row.
#[derive(Debug, Clone)]
enum Key {
    Number(i64),
    Text(String),
}

struct Copy<'a> {
    table: &'a Table,
    source: &'a mut SqliteConnection,
    target: &'a mut SqliteConnection,
    losses: &'a mut Vec<String>,
    rows: usize,
}

impl Copy<'_> {
    async fn run(mut self) -> Result<(), SqlError> {
        let mut last: Option<Key> = None;
        let mut limit = ROWS_PER_PAGE;
        loop {
            match self.page(last.as_ref(), limit).await {
                Ok(rows) if rows.is_empty() => break,
                Ok(rows) => {
                    for row in rows {
                        last = Some(row.key.clone());
                        self.store(row).await?;
                    }
                    limit = ROWS_PER_PAGE;
                }
                // What is readable before the damage comes row by row.
                Err(_) if limit > 1 => limit = 1,
                Err(error) => {
                    let place = self.place(last.as_ref());
                    let Some(next) = self.skip(last.as_ref()).await else {
                        self.losses
                            .push(format!("{place} and all behind are lost: {error}"));
                        break;
                    };
                    self.losses.push(format!(
                        "{place} and those up to {} are lost: {error}",
                        next.saturating_add(1)
                    ));
                    last = Some(Key::Number(next));
                    limit = ROWS_PER_PAGE;
                }
            }
        }
        self.losses.push(format!(
            "{} rows of table {} were saved",
            self.rows, self.table.name
        ));
        Ok(())
    }

    fn place(&self, last: Option<&Key>) -> String {
        let behind = match last {
            None => "the first row".to_owned(),
            Some(Key::Number(number)) => format!("the row behind row {number}"),
            Some(Key::Text(text)) => format!("the row behind \"{text}\""),
        };
        format!("table {}: {behind}", self.table.name)
    }

    async fn page(&mut self, last: Option<&Key>, limit: i64) -> Result<Vec<SourceRow>, SqlError> {
        let Table { name, columns, key } = self.table;
        let mut statement = Statement::default();
        statement.push(&format!("SELECT {key}, {columns} FROM {name}"));
        if let Some(last) = last {
            statement.push(&format!(" WHERE {key} > "));
            match last {
                Key::Number(number) => statement.push_value(*number),
                Key::Text(text) => statement.push_value(text.as_str()),
            }
        }
        statement.push(&format!(" ORDER BY {key} LIMIT "));
        statement.push_value(limit);
        let rows = SqliteSession::new(self.source).fetch(statement).await?;
        rows.into_iter()
            .map(|row| {
                let mut cells = row.into_cells().into_iter();
                let key = match cells.next() {
                    Some(Cell::Integer(number)) => Key::Number(number),
                    Some(Cell::Text(text)) => Key::Text(text),
                    _ => return Err(SqlError::corrupt("the key of a row", "nonsense")),
                };
                let cells = cells.collect();
                Ok(SourceRow { key, cells })
            })
            .collect()
    }

    /// Finds where rows can be read again behind a place where they cannot: the number of a row before them.
    async fn skip(&mut self, last: Option<&Key>) -> Option<i64> {
        let last = match last {
            None if self.table.key == "rowid" => 0,
            Some(Key::Number(number)) => *number,
            _ => return None,
        };
        let mut step = 1;
        while !self.is_readable_behind(last.saturating_add(step)).await {
            step *= 2;
            if step > STEP_MAX {
                return None;
            }
        }
        // The step before was too small; the smallest that is not lies between.
        let (mut too_small, mut enough) = (step / 2, step);
        while enough - too_small > 1 {
            let middle = too_small + (enough - too_small) / 2;
            if self.is_readable_behind(last.saturating_add(middle)).await {
                enough = middle;
            } else {
                too_small = middle;
            }
        }
        Some(last.saturating_add(enough))
    }

    async fn is_readable_behind(&mut self, number: i64) -> bool {
        let rows = self.page(Some(&Key::Number(number)), 1).await;
        rows.is_ok_and(|rows| !rows.is_empty())
    }

    async fn store(&mut self, row: SourceRow) -> Result<(), SqlError> {
        let &Table { name, columns, .. } = self.table;
        let mut statement = Statement::default();
        // A new database has the type "generic" from the beginning on.
        let insert = if name == "resource_type" {
            "INSERT OR REPLACE"
        } else {
            "INSERT"
        };
        statement.push(&format!("{insert} INTO {name} ({columns}) VALUES ("));
        let mut values = Vec::new();
        for cell in row.cells {
            let Some(value) = value(cell) else {
                let key = row.key;
                self.losses.push(format!(
                    "table {name}: row {key:?} has a value of an unknown kind and is left out"
                ));
                return Ok(());
            };
            values.push(value);
        }
        statement.push_list(", ", values, Statement::push_value);
        statement.push(")");
        match SqliteSession::new(self.target).execute(statement).await {
            Ok(_) => self.rows += 1,
            // What it refers to is lost, or it breaks another rule.
            Err(error) if error.kind(&SQLITE) != BackendErrorKind::Full => {
                let key = row.key;
                self.losses.push(format!(
                    "table {name}: row {key:?} cannot be saved: {error}"
                ));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

struct SourceRow {
    key: Key,
    cells: Vec<Cell>,
}

fn value(cell: Cell) -> Option<Value> {
    Some(match cell {
        Cell::Null => Value::Text(None),
        Cell::Integer(number) => Value::Integer(Some(number)),
        Cell::Real(number) => Value::Real(Some(number)),
        Cell::Text(text) => Value::Text(Some(text)),
        Cell::Bytes(bytes) => Value::Id(Some(Uuid::from_slice(&bytes).ok()?)),
    })
}

#[cfg(test)]
mod tests {
    use gnocchi_core::driver::{ArchivePolicyIndexer, Indexer, MetricFilter, MetricIndexer};
    use gnocchi_core::model::{ArchivePolicy, Definition, NewMetric, Page};

    use super::*;

    const METRICS: usize = 2000;

    /// Makes a database of many pages and returns its bytes.
    async fn written(path: &Path) -> Vec<u8> {
        let indexer = SqlIndexer::open(SqliteConfig::new(path));
        indexer.upgrade().await.unwrap();
        let minute = carbonara::Timespan::from_second(60).unwrap();
        let definition = Definition::new(Some(minute), Some(10), None).unwrap();
        let methods = vec!["mean".parse().unwrap()];
        let policy = ArchivePolicy::new("p", 0, vec![definition], methods).unwrap();
        indexer.create_archive_policy(&policy).await.unwrap();
        let name = |number| {
            Some(format!(
                "metric {number} with a long name {}",
                "x".repeat(60)
            ))
        };
        let metrics: Vec<NewMetric> = (0..METRICS)
            .map(|number| NewMetric::new(None, "p", name(number), None, None).unwrap())
            .collect();
        indexer.create_metrics(&metrics, &[]).await.unwrap();
        indexer.close().await;
        fs::read(path).unwrap()
    }

    async fn metrics(path: &Path) -> usize {
        let indexer = SqlIndexer::open(SqliteConfig::new(path));
        let page = Page::first(10 * METRICS);
        let everything = MetricFilter::default();
        let listed = indexer.list_metrics(&everything, &page).await;
        let count = listed.unwrap().len();
        assert_eq!(indexer.archive_policies().await.unwrap().len(), 1);
        assert_eq!(indexer.check_integrity().await.unwrap(), [""; 0]);
        indexer.close().await;
        count
    }

    #[tokio::test]
    async fn rows_before_and_behind_damage_are_saved() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
        let intact = written(&from).await;
        assert_eq!(salvage(&from, &to).await.unwrap(), [""; 0]);
        assert_eq!(metrics(&to).await, METRICS);
        fs::remove_file(&to).unwrap();

        // Pages of rows begin with 13; those in the middle of the file are of the table of metrics.
        let pages: Vec<usize> = (0..intact.len() / 4096)
            .filter(|page| intact[page * 4096] == 13 && *page > 40)
            .collect();
        let mut damaged = intact.clone();
        let page = pages[pages.len() / 2] * 4096;
        damaged[page..page + 4096].fill(0xaa);
        fs::write(&from, &damaged).unwrap();
        let losses = salvage(&from, &to).await.unwrap();
        assert_eq!(fs::read(&from).unwrap(), damaged);
        let saved = metrics(&to).await;
        assert!(
            (METRICS - 100..METRICS).contains(&saved),
            "{saved}: {losses:?}"
        );
        let expected = format!("{saved} rows of table metric were saved");
        assert!(losses.contains(&expected), "{losses:?}");
        assert!(
            losses.iter().any(|loss| loss.contains("are lost")),
            "{losses:?}"
        );
    }

    #[tokio::test]
    async fn every_column_of_every_table_is_saved() {
        // What says which version and store a database is of is written anew, and the attributes of
        // resources are filed again as their rows are.
        const WRITTEN_ANEW: [&str; 3] = ["resource_attribute", "schema_version", "store"];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.db");
        let indexer = SqlIndexer::open(SqliteConfig::new(&path));
        indexer.upgrade().await.unwrap();
        indexer.close().await;
        let mut database = writing_options(&path).connect().await.unwrap();
        let stored: Vec<(String, String)> = sqlx::query_as(
            "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY 1, 2",
        )
        .fetch_all(&mut database)
        .await
        .unwrap();
        let mut saved: Vec<(String, String)> = Vec::new();
        for table in &TABLES {
            let columns = table.columns.split(", ");
            saved.extend(columns.map(|column| (table.name.to_owned(), column.to_owned())));
        }
        saved.sort();
        let expected: Vec<_> = stored
            .into_iter()
            .filter(|(table, _)| !WRITTEN_ANEW.contains(&table.as_str()))
            .collect();
        assert_eq!(saved, expected);
    }

    #[tokio::test]
    async fn of_rubble_nothing_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
        fs::write(&from, vec![0xaa; 16_384]).unwrap();
        let losses = salvage(&from, &to).await.unwrap();
        assert!(!losses.is_empty());
        let indexer = SqlIndexer::open(SqliteConfig::new(&to));
        assert_eq!(indexer.archive_policies().await.unwrap(), []);
        indexer.close().await;
    }
}
