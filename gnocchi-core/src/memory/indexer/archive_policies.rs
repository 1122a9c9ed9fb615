use async_trait::async_trait;

use super::state::MemoryIndexer;
use crate::driver::ArchivePolicyIndexer;
use crate::error::IndexerError;
use crate::model::{ArchivePolicy, ArchivePolicyRule};

fn no_such_policy(name: &str) -> IndexerError {
    IndexerError::NoSuchArchivePolicy {
        name: name.to_owned(),
    }
}

fn no_such_rule(name: &str) -> IndexerError {
    IndexerError::NoSuchArchivePolicyRule {
        name: name.to_owned(),
    }
}

#[async_trait]
impl ArchivePolicyIndexer for MemoryIndexer {
    async fn create_archive_policy(&self, policy: &ArchivePolicy) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        if state.archive_policies.contains_key(policy.name()) {
            return Err(IndexerError::ArchivePolicyExists {
                name: policy.name().to_owned(),
            });
        }
        state
            .archive_policies
            .insert(policy.name().to_owned(), policy.clone());
        Ok(())
    }

    async fn archive_policy(&self, name: &str) -> Result<ArchivePolicy, IndexerError> {
        self.state
            .lock()
            .archive_policies
            .get(name)
            .cloned()
            .ok_or_else(|| no_such_policy(name))
    }

    async fn archive_policies(&self) -> Result<Vec<ArchivePolicy>, IndexerError> {
        Ok(self
            .state
            .lock()
            .archive_policies
            .values()
            .cloned()
            .collect())
    }

    async fn update_archive_policy(&self, policy: &ArchivePolicy) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        let stored = state
            .archive_policies
            .get_mut(policy.name())
            .ok_or_else(|| no_such_policy(policy.name()))?;
        *stored = policy.clone();
        Ok(())
    }

    async fn delete_archive_policy(&self, name: &str) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        if !state.archive_policies.contains_key(name) {
            return Err(no_such_policy(name));
        }
        let used = state
            .metrics
            .values()
            .any(|metric| metric.described.archive_policy_name == name)
            || state
                .archive_policy_rules
                .values()
                .any(|rule| rule.archive_policy_name == name);
        if used {
            return Err(IndexerError::ArchivePolicyInUse {
                name: name.to_owned(),
            });
        }
        state.archive_policies.remove(name);
        Ok(())
    }

    async fn create_archive_policy_rule(
        &self,
        rule: &ArchivePolicyRule,
    ) -> Result<(), IndexerError> {
        let mut state = self.state.lock();
        if state.archive_policy_rules.contains_key(&rule.name) {
            return Err(IndexerError::ArchivePolicyRuleExists {
                name: rule.name.clone(),
            });
        }
        if !state
            .archive_policies
            .contains_key(&rule.archive_policy_name)
        {
            return Err(no_such_policy(&rule.archive_policy_name));
        }
        state
            .archive_policy_rules
            .insert(rule.name.clone(), rule.clone());
        Ok(())
    }

    async fn archive_policy_rule(&self, name: &str) -> Result<ArchivePolicyRule, IndexerError> {
        self.state
            .lock()
            .archive_policy_rules
            .get(name)
            .cloned()
            .ok_or_else(|| no_such_rule(name))
    }

    async fn archive_policy_rules(&self) -> Result<Vec<ArchivePolicyRule>, IndexerError> {
        let mut rules: Vec<ArchivePolicyRule> = self
            .state
            .lock()
            .archive_policy_rules
            .values()
            .cloned()
            .collect();
        rules.sort_by(|a, b| {
            b.metric_pattern
                .cmp(&a.metric_pattern)
                .then_with(|| a.name.cmp(&b.name))
        });
        Ok(rules)
    }

    async fn rename_archive_policy_rule(
        &self,
        name: &str,
        new_name: &str,
    ) -> Result<ArchivePolicyRule, IndexerError> {
        let mut state = self.state.lock();
        if !state.archive_policy_rules.contains_key(name) {
            return Err(no_such_rule(name));
        }
        if name != new_name && state.archive_policy_rules.contains_key(new_name) {
            return Err(IndexerError::ArchivePolicyRuleExists {
                name: new_name.to_owned(),
            });
        }
        let mut rule = state
            .archive_policy_rules
            .remove(name)
            .ok_or_else(|| no_such_rule(name))?;
        new_name.clone_into(&mut rule.name);
        state
            .archive_policy_rules
            .insert(rule.name.clone(), rule.clone());
        Ok(rule)
    }

    async fn delete_archive_policy_rule(&self, name: &str) -> Result<(), IndexerError> {
        let removed = self.state.lock().archive_policy_rules.remove(name);
        removed.map(|_| ()).ok_or_else(|| no_such_rule(name))
    }
}
