//! Archive policies and their rules.

use super::Gnocchi;
use crate::error::Error;
use crate::model::{ArchivePolicy, ArchivePolicyRule, Definition, match_rule};

impl Gnocchi {
    /// Stores a new archive policy.
    ///
    /// # Errors
    /// [`ArchivePolicyExists`](crate::error::IndexerError::ArchivePolicyExists) when the name is taken.
    pub async fn create_archive_policy(&self, policy: &ArchivePolicy) -> Result<(), Error> {
        Ok(self.indexer().create_archive_policy(policy).await?)
    }

    /// Returns an archive policy.
    ///
    /// # Errors
    /// [`NoSuchArchivePolicy`](crate::error::IndexerError::NoSuchArchivePolicy) when there is none of that name.
    pub async fn archive_policy(&self, name: &str) -> Result<ArchivePolicy, Error> {
        Ok(self.indexer().archive_policy(name).await?)
    }

    /// Returns every archive policy, by name.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn archive_policies(&self) -> Result<Vec<ArchivePolicy>, Error> {
        Ok(self.indexer().archive_policies().await?)
    }

    /// Changes how long an archive policy keeps its granularities and, when given, its back window.
    ///
    /// What is already gone doesn't come back; what is now too much is hidden at once and removed as measures arrive.
    ///
    /// # Errors
    /// [`Error::ArchivePolicyChange`] when the granularities differ,
    /// [`NoSuchArchivePolicy`](crate::error::IndexerError::NoSuchArchivePolicy).
    pub async fn update_archive_policy(
        &self,
        name: &str,
        definition: Vec<Definition>,
        back_window: Option<u32>,
    ) -> Result<ArchivePolicy, Error> {
        let policy = self.archive_policy(name).await?;
        let changed = policy.changed(definition, back_window).map_err(|source| {
            Error::ArchivePolicyChange {
                name: name.to_owned(),
                source,
            }
        })?;
        self.indexer().update_archive_policy(&changed).await?;
        self.inner.directory.clear();
        Ok(changed)
    }

    /// Removes an archive policy.
    ///
    /// # Errors
    /// [`NoSuchArchivePolicy`](crate::error::IndexerError::NoSuchArchivePolicy),
    /// [`ArchivePolicyInUse`](crate::error::IndexerError::ArchivePolicyInUse).
    pub async fn delete_archive_policy(&self, name: &str) -> Result<(), Error> {
        Ok(self.indexer().delete_archive_policy(name).await?)
    }

    /// Stores a new rule.
    ///
    /// # Errors
    /// [`ArchivePolicyRuleExists`](crate::error::IndexerError::ArchivePolicyRuleExists),
    /// [`NoSuchArchivePolicy`](crate::error::IndexerError::NoSuchArchivePolicy).
    pub async fn create_archive_policy_rule(&self, rule: &ArchivePolicyRule) -> Result<(), Error> {
        Ok(self.indexer().create_archive_policy_rule(rule).await?)
    }

    /// Returns a rule.
    ///
    /// # Errors
    /// [`NoSuchArchivePolicyRule`](crate::error::IndexerError::NoSuchArchivePolicyRule).
    pub async fn archive_policy_rule(&self, name: &str) -> Result<ArchivePolicyRule, Error> {
        Ok(self.indexer().archive_policy_rule(name).await?)
    }

    /// Returns every rule in the order in which they are tried.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn archive_policy_rules(&self) -> Result<Vec<ArchivePolicyRule>, Error> {
        Ok(self.indexer().archive_policy_rules().await?)
    }

    /// Gives a rule another name.
    ///
    /// # Errors
    /// [`NoSuchArchivePolicyRule`](crate::error::IndexerError::NoSuchArchivePolicyRule),
    /// [`ArchivePolicyRuleExists`](crate::error::IndexerError::ArchivePolicyRuleExists).
    pub async fn rename_archive_policy_rule(
        &self,
        name: &str,
        new_name: &str,
    ) -> Result<ArchivePolicyRule, Error> {
        Ok(self
            .indexer()
            .rename_archive_policy_rule(name, new_name)
            .await?)
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// [`NoSuchArchivePolicyRule`](crate::error::IndexerError::NoSuchArchivePolicyRule).
    pub async fn delete_archive_policy_rule(&self, name: &str) -> Result<(), Error> {
        Ok(self.indexer().delete_archive_policy_rule(name).await?)
    }

    /// Returns the name of the archive policy of a new metric: the one given, else that of the first matching rule.
    ///
    /// # Errors
    /// [`Error::NoArchivePolicyRule`] when none is given and no rule matches.
    pub async fn choose_archive_policy(
        &self,
        given: Option<&str>,
        metric_name: Option<&str>,
    ) -> Result<String, Error> {
        let given = given.map(ToOwned::to_owned);
        PolicyChoice::of(self).choose(given, metric_name).await
    }
}

/// Chooses the archive policies of new metrics. The rules are read once, when the first metric names no policy.
#[derive(Debug)]
pub(crate) struct PolicyChoice<'a> {
    gnocchi: &'a Gnocchi,
    rules: Option<Vec<ArchivePolicyRule>>,
}

impl<'a> PolicyChoice<'a> {
    pub(crate) fn of(gnocchi: &'a Gnocchi) -> Self {
        Self {
            gnocchi,
            rules: None,
        }
    }

    /// Returns the name of an archive policy as [`Gnocchi::choose_archive_policy`] does.
    pub(crate) async fn choose(
        &mut self,
        given: Option<String>,
        metric_name: Option<&str>,
    ) -> Result<String, Error> {
        if let Some(given) = given {
            return Ok(given);
        }
        let rules = match &mut self.rules {
            Some(rules) => rules,
            unread => unread.insert(self.gnocchi.archive_policy_rules().await?),
        };
        match match_rule(rules, metric_name) {
            Some(rule) => Ok(rule.archive_policy_name.clone()),
            None => Err(Error::NoArchivePolicyRule {
                metric_name: metric_name.map(ToOwned::to_owned),
            }),
        }
    }
}
