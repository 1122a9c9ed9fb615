//! Versions of the schema.

use super::database::Session;
use super::error::SqlError;
use super::statement::Statement;

/// Brings the schema to the newest version. The caller holds the lock that lets one process write at a time.
pub(super) async fn migrate(session: &mut dyn Session) -> Result<(), SqlError> {
    let migrations = session.dialect().migrations();
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    session
        .run_script("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        .await?;
    let found = stored_version(session).await?;
    if found > known {
        return Err(SqlError::NewerSchema { found, known });
    }
    let done = usize::try_from(found).map_err(|_| {
        SqlError::corrupt(
            "schema_version.version",
            format!("{found}, which is no version"),
        )
    })?;
    if found == known {
        return Ok(());
    }
    for script in &migrations[done..] {
        session.run_script(script).await?;
    }
    session
        .execute(Statement::new("DELETE FROM schema_version"))
        .await?;
    session
        .execute(Statement::new("INSERT INTO schema_version (version) VALUES (?)").bind(known))
        .await?;
    Ok(())
}

/// Fails unless the schema is the one that this program knows.
pub(super) async fn require_current(session: &mut dyn Session) -> Result<(), SqlError> {
    let known = i64::try_from(session.dialect().migrations().len()).unwrap_or(i64::MAX);
    match stored_version(session).await? {
        found if found > known => Err(SqlError::NewerSchema { found, known }),
        found if found < known => Err(SqlError::OlderSchema { found, known }),
        _ => Ok(()),
    }
}

async fn stored_version(session: &mut dyn Session) -> Result<i64, SqlError> {
    let mut rows = session
        .fetch(Statement::new("SELECT version FROM schema_version"))
        .await?;
    match rows.pop() {
        Some(mut row) => row.integer("schema_version.version"),
        None => Ok(0),
    }
}
