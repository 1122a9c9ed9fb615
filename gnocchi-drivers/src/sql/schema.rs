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
    let mut rows = session
        .fetch(Statement::new("SELECT version FROM schema_version"))
        .await?;
    let found = match rows.pop() {
        Some(mut row) => row.integer("schema_version.version")?,
        None => 0,
    };
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
