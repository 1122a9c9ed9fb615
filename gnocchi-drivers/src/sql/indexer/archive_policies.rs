use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use gnocchi_core::driver::ArchivePolicyIndexer;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{ArchivePolicy, ArchivePolicyRule};
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::sql::SqlIndexer;
use crate::sql::database::{Access, Session};
use crate::sql::document::{decode_policy, encode_policy};
use crate::sql::error::SqlError;
use crate::sql::statement::{Row, Statement};

/// The columns of a policy, for joins.
pub(super) const POLICY_COLUMNS: &str = "archive_policy.name, archive_policy.back_window, archive_policy.definition, \
     archive_policy.aggregation_methods";

/// When the cache forgets everything: more policies than any deployment has, counting those long deleted.
const CACHED_POLICIES_MAX: usize = 1000;

/// Parsed policies, so that metrics of one policy share it.
///
/// Why is there no staleness? What was read from the database is compared with what the parsed policy was made of.
#[derive(Debug, Default)]
pub(in crate::sql) struct PolicyCache {
    parsed: Mutex<HashMap<String, Parsed>>,
}

#[derive(Debug)]
struct Parsed {
    back_window: i64,
    definition: String,
    methods: String,
    policy: Arc<ArchivePolicy>,
}

impl PolicyCache {
    /// Reads [`POLICY_COLUMNS`].
    pub(super) fn read(&self, row: &mut Row) -> Result<Arc<ArchivePolicy>, SqlError> {
        let name = row.text("archive_policy.name")?;
        let back_window = row.integer("archive_policy.back_window")?;
        let definition = row.text("archive_policy.definition")?;
        let methods = row.text("archive_policy.aggregation_methods")?;
        let mut parsed = self.parsed.lock();
        if let Some(found) = parsed.get(&name)
            && (found.back_window, &found.definition, &found.methods)
                == (back_window, &definition, &methods)
        {
            return Ok(Arc::clone(&found.policy));
        }
        let policy = Arc::new(decode_policy(&name, back_window, &definition, &methods)?);
        if parsed.len() >= CACHED_POLICIES_MAX {
            parsed.clear();
        }
        parsed.insert(
            name,
            Parsed {
                back_window,
                definition,
                methods,
                policy: Arc::clone(&policy),
            },
        );
        Ok(policy)
    }

    /// Reads rows of [`POLICY_COLUMNS`] into a map by name.
    pub(super) fn read_all(
        &self,
        rows: Vec<Row>,
    ) -> Result<BTreeMap<String, Arc<ArchivePolicy>>, SqlError> {
        let mut found = BTreeMap::new();
        for mut row in rows {
            let policy = self.read(&mut row)?;
            found.insert(policy.name().to_owned(), policy);
        }
        Ok(found)
    }
}

/// Selects [`POLICY_COLUMNS`] of the policies of these names, of which there must be some.
pub(super) fn select_policies(session: &dyn Session, names: &BTreeSet<&str>) -> Statement {
    let mut statement = select("WHERE name IN ");
    session
        .dialect()
        .push_texts(&mut statement, &mut names.iter().copied());
    statement
}

fn select(rest: &str) -> Statement {
    let mut statement = Statement::new("SELECT ");
    statement.push(POLICY_COLUMNS);
    statement.push(" FROM archive_policy ");
    statement.push(rest);
    statement
}

/// Selects [`POLICY_COLUMNS`] of all policies.
pub(super) fn select_all_policies() -> Statement {
    select("ORDER BY name")
}

/// Reads [`POLICY_COLUMNS`] for their errors only.
pub(super) fn check_policy(mut row: Row) -> Result<(), SqlError> {
    PolicyCache::default().read(&mut row).map(drop)
}

pub(super) fn no_such_policy(name: &str) -> SqlError {
    IndexerError::NoSuchArchivePolicy {
        name: name.to_owned(),
    }
    .into()
}

async fn insert_policy(session: &mut dyn Session, policy: &ArchivePolicy) -> Result<(), SqlError> {
    let (definition, methods) = encode_policy(policy);
    let statement = Statement::new(
        "INSERT INTO archive_policy (name, back_window, definition, aggregation_methods) VALUES (?, ?, ?, ?)",
    );
    let statement = statement
        .bind(policy.name())
        .bind(i64::from(policy.back_window()))
        .bind(definition)
        .bind(methods);
    match session.execute(statement).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_unique_violation() => Err(IndexerError::ArchivePolicyExists {
            name: policy.name().to_owned(),
        }
        .into()),
        Err(error) => Err(error),
    }
}

async fn find_policy(
    session: &mut dyn Session,
    (cache, name): &(Arc<PolicyCache>, String),
) -> Result<ArchivePolicy, SqlError> {
    let mut rows = session
        .fetch(select("WHERE name = ?").bind(name.as_str()))
        .await?;
    let mut row = rows.pop().ok_or_else(|| no_such_policy(name))?;
    Ok(Arc::unwrap_or_clone(cache.read(&mut row)?))
}

async fn list_policies(
    session: &mut dyn Session,
    cache: &PolicyCache,
) -> Result<Vec<ArchivePolicy>, SqlError> {
    let rows = session.fetch(select_all_policies()).await?;
    rows.into_iter()
        .map(|mut row| Ok(Arc::unwrap_or_clone(cache.read(&mut row)?)))
        .collect()
}

async fn update_policy(session: &mut dyn Session, policy: &ArchivePolicy) -> Result<(), SqlError> {
    let (definition, methods) = encode_policy(policy);
    let statement = Statement::new(
        "UPDATE archive_policy SET back_window = ?, definition = ?, aggregation_methods = ? WHERE name = ?",
    );
    let statement = statement
        .bind(i64::from(policy.back_window()))
        .bind(definition)
        .bind(methods)
        .bind(policy.name());
    if session.execute(statement).await? == 0 {
        Err(no_such_policy(policy.name()))
    } else {
        Ok(())
    }
}

async fn delete_policy(session: &mut dyn Session, name: &str) -> Result<(), SqlError> {
    let statement = Statement::new("DELETE FROM archive_policy WHERE name = ?").bind(name);
    match session.execute(statement).await {
        Ok(0) => Err(no_such_policy(name)),
        Ok(_) => Ok(()),
        Err(error) if error.is_foreign_key_violation() => Err(IndexerError::ArchivePolicyInUse {
            name: name.to_owned(),
        }
        .into()),
        Err(error) => Err(error),
    }
}

fn no_such_rule(name: &str) -> SqlError {
    IndexerError::NoSuchArchivePolicyRule {
        name: name.to_owned(),
    }
    .into()
}

fn read_rule(mut row: Row) -> Result<ArchivePolicyRule, SqlError> {
    Ok(ArchivePolicyRule {
        name: row.text("archive_policy_rule.name")?,
        archive_policy_name: row.text("archive_policy_rule.archive_policy_name")?,
        metric_pattern: row.text("archive_policy_rule.metric_pattern")?,
    })
}

/// Reads a rule for its errors only.
pub(super) fn check_rule(row: Row) -> Result<(), SqlError> {
    read_rule(row).map(drop)
}

async fn insert_rule(session: &mut dyn Session, rule: &ArchivePolicyRule) -> Result<(), SqlError> {
    let statement = Statement::new(
        "INSERT INTO archive_policy_rule (name, archive_policy_name, metric_pattern) VALUES (?, ?, ?)",
    );
    let statement = statement
        .bind(rule.name.as_str())
        .bind(rule.archive_policy_name.as_str())
        .bind(rule.metric_pattern.as_str());
    match session.execute(statement).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_unique_violation() => Err(IndexerError::ArchivePolicyRuleExists {
            name: rule.name.clone(),
        }
        .into()),
        Err(error) if error.is_foreign_key_violation() => {
            Err(no_such_policy(&rule.archive_policy_name))
        }
        Err(error) => Err(error),
    }
}

async fn find_rule(session: &mut dyn Session, name: &str) -> Result<ArchivePolicyRule, SqlError> {
    let statement = Statement::new(
        "SELECT name, archive_policy_name, metric_pattern FROM archive_policy_rule WHERE name = ?",
    );
    let rows = session.fetch(statement.bind(name)).await?;
    rows.into_iter()
        .next()
        .map_or_else(|| Err(no_such_rule(name)), read_rule)
}

async fn list_rules(session: &mut dyn Session) -> Result<Vec<ArchivePolicyRule>, SqlError> {
    let statement = Statement::new(
        "SELECT name, archive_policy_name, metric_pattern FROM archive_policy_rule ORDER BY metric_pattern DESC, name",
    );
    session
        .fetch(statement)
        .await?
        .into_iter()
        .map(read_rule)
        .collect()
}

async fn rename_rule(
    session: &mut dyn Session,
    (name, new_name): &(String, String),
) -> Result<ArchivePolicyRule, SqlError> {
    let statement = Statement::new("UPDATE archive_policy_rule SET name = ? WHERE name = ?");
    match session
        .execute(statement.bind(new_name.as_str()).bind(name.as_str()))
        .await
    {
        Ok(0) => Err(no_such_rule(name)),
        Ok(_) => find_rule(session, new_name).await,
        Err(error) if error.is_unique_violation() => Err(IndexerError::ArchivePolicyRuleExists {
            name: new_name.clone(),
        }
        .into()),
        Err(error) => Err(error),
    }
}

async fn delete_rule(session: &mut dyn Session, name: &str) -> Result<(), SqlError> {
    let statement = Statement::new("DELETE FROM archive_policy_rule WHERE name = ?").bind(name);
    if session.execute(statement).await? == 0 {
        Err(no_such_rule(name))
    } else {
        Ok(())
    }
}

#[async_trait]
impl ArchivePolicyIndexer for SqlIndexer {
    async fn create_archive_policy(&self, policy: &ArchivePolicy) -> Result<(), IndexerError> {
        self.database
            .call(
                Access::Write,
                "create an archive policy",
                policy.clone(),
                |session, policy| Box::pin(insert_policy(session, policy)),
            )
            .await
    }

    async fn archive_policy(&self, name: &str) -> Result<ArchivePolicy, IndexerError> {
        let arguments = (Arc::clone(&self.policies), name.to_owned());
        self.database
            .call(
                Access::Read,
                "read an archive policy",
                arguments,
                |session, arguments| Box::pin(find_policy(session, arguments)),
            )
            .await
    }

    async fn archive_policies(&self) -> Result<Vec<ArchivePolicy>, IndexerError> {
        self.database
            .call(
                Access::Read,
                "list archive policies",
                Arc::clone(&self.policies),
                |session, cache| Box::pin(list_policies(session, cache)),
            )
            .await
    }

    async fn update_archive_policy(&self, policy: &ArchivePolicy) -> Result<(), IndexerError> {
        self.database
            .call(
                Access::Write,
                "change an archive policy",
                policy.clone(),
                |session, policy| Box::pin(update_policy(session, policy)),
            )
            .await
    }

    async fn delete_archive_policy(&self, name: &str) -> Result<(), IndexerError> {
        self.database
            .call_always(
                Access::Write,
                "delete an archive policy",
                name.to_owned(),
                |session, name| Box::pin(delete_policy(session, name)),
            )
            .await
    }

    async fn create_archive_policy_rule(
        &self,
        rule: &ArchivePolicyRule,
    ) -> Result<(), IndexerError> {
        self.database
            .call(
                Access::Write,
                "create an archive policy rule",
                rule.clone(),
                |session, rule| Box::pin(insert_rule(session, rule)),
            )
            .await
    }

    async fn archive_policy_rule(&self, name: &str) -> Result<ArchivePolicyRule, IndexerError> {
        self.database
            .call(
                Access::Read,
                "read an archive policy rule",
                name.to_owned(),
                |session, name| Box::pin(find_rule(session, name)),
            )
            .await
    }

    async fn archive_policy_rules(&self) -> Result<Vec<ArchivePolicyRule>, IndexerError> {
        self.database
            .call(
                Access::Read,
                "list archive policy rules",
                (),
                |session, ()| Box::pin(list_rules(session)),
            )
            .await
    }

    async fn rename_archive_policy_rule(
        &self,
        name: &str,
        new_name: &str,
    ) -> Result<ArchivePolicyRule, IndexerError> {
        let names = (name.to_owned(), new_name.to_owned());
        self.database
            .call(
                Access::Transaction,
                "rename an archive policy rule",
                names,
                |session, names| Box::pin(rename_rule(session, names)),
            )
            .await
    }

    async fn delete_archive_policy_rule(&self, name: &str) -> Result<(), IndexerError> {
        self.database
            .call_always(
                Access::Write,
                "delete an archive policy rule",
                name.to_owned(),
                |session, name| Box::pin(delete_rule(session, name)),
            )
            .await
    }
}
