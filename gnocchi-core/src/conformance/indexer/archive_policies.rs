use carbonara::{AggregationMethod, Timespan};

use super::support::{assert_matches, create_metric, create_policy, policy, unattached};
use crate::driver::Indexer;
use crate::error::IndexerError;
use crate::model::{ArchivePolicy, ArchivePolicyRule, Definition};

fn rule(name: &str, policy_name: &str, pattern: &str) -> ArchivePolicyRule {
    ArchivePolicyRule {
        name: name.into(),
        archive_policy_name: policy_name.into(),
        metric_pattern: pattern.into(),
    }
}

/// Every part of a policy survives, whatever its name.
pub async fn an_archive_policy_comes_back_as_it_was_stored(indexer: &dyn Indexer) {
    let span = |nanosecond| Some(Timespan::from_nanosecond(nanosecond).unwrap());
    let definition = vec![
        Definition::new(None, Some(7), span(1_000_000_000_000)).unwrap(),
        Definition::new(span(1), None, None).unwrap(),
        Definition::new(span(3_600_000_000_000), None, span(86_400_000_000_000)).unwrap(),
    ];
    let methods: Vec<AggregationMethod> = AggregationMethod::all().collect();
    for name in ["plain", "", "with/slash and space", "✔ é 𝄞", "'; --"] {
        let policy = ArchivePolicy::new(name, 3600, definition.clone(), methods.clone()).unwrap();
        indexer.create_archive_policy(&policy).await.unwrap();
        assert_eq!(indexer.archive_policy(name).await.unwrap(), policy);
    }
}

/// The second policy of a name is refused and the first one stays.
pub async fn archive_policy_names_are_unique(indexer: &dyn Indexer) {
    let policy = create_policy(indexer, "low").await;
    let other = policy
        .changed(policy.definition().to_vec(), Some(7))
        .unwrap();
    let refused = indexer.create_archive_policy(&other).await;
    assert_matches!(refused, Err(IndexerError::ArchivePolicyExists { name }) if name == "low");
    assert_eq!(indexer.archive_policy("low").await.unwrap(), policy);
}

/// Policies are listed by the bytes of their names, and names that only look alike are different.
pub async fn archive_policies_are_listed_by_name(indexer: &dyn Indexer) {
    assert_eq!(indexer.archive_policies().await.unwrap(), []);
    for name in ["b", "é", "a", "e", "B", "b "] {
        create_policy(indexer, name).await;
    }
    let names: Vec<String> = indexer
        .archive_policies()
        .await
        .unwrap()
        .iter()
        .map(|policy| policy.name().to_owned())
        .collect();
    assert_eq!(names, ["B", "a", "b", "b ", "e", "é"]);
}

/// A metric shows its policy as it is now.
pub async fn an_updated_archive_policy_is_seen_by_its_metrics(indexer: &dyn Indexer) {
    let policy = create_policy(indexer, "low").await;
    let metric = create_metric(indexer, "low").await;
    assert_eq!(*metric.archive_policy, policy);
    let minute = Timespan::from_second(60).unwrap();
    let changed = policy
        .changed(
            vec![Definition::new(Some(minute), Some(5), None).unwrap()],
            Some(3),
        )
        .unwrap();
    indexer.update_archive_policy(&changed).await.unwrap();
    assert_eq!(indexer.archive_policy("low").await.unwrap(), changed);
    let found = indexer
        .metrics(&[metric.id])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(*found.archive_policy, changed);
    assert_eq!(*create_metric(indexer, "low").await.archive_policy, changed);
}

/// A policy that does not exist can't be read, changed or removed.
pub async fn an_absent_archive_policy_is_an_error(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let read = indexer.archive_policy("Low").await;
    assert_matches!(read, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "Low");
    let updated = indexer.update_archive_policy(&policy("high")).await;
    assert_matches!(updated, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "high");
    let deleted = indexer.delete_archive_policy("high").await;
    assert_matches!(deleted, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "high");
    indexer.delete_archive_policy("low").await.unwrap();
    let read = indexer.archive_policy("low").await;
    assert_matches!(read, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "low");
}

/// Metrics hold their policy until they are expunged; rules hold theirs.
pub async fn an_archive_policy_in_use_stays(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let refused = async || {
        let deleted = indexer.delete_archive_policy("low").await;
        assert_matches!(deleted, Err(IndexerError::ArchivePolicyInUse { name }) if name == "low");
    };
    let metric = create_metric(indexer, "low").await;
    refused().await;
    indexer.delete_metrics(&[metric.id]).await.unwrap();
    refused().await;
    indexer.expunge_metrics(&[metric.id]).await.unwrap();
    indexer
        .create_archive_policy_rule(&rule("all", "low", "*"))
        .await
        .unwrap();
    refused().await;
    indexer.delete_archive_policy_rule("all").await.unwrap();
    indexer.delete_archive_policy("low").await.unwrap();
}

/// Rules are listed by pattern descending, then by name.
pub async fn archive_policy_rules_are_listed_in_the_order_in_which_they_are_tried(
    indexer: &dyn Indexer,
) {
    create_policy(indexer, "low").await;
    for (name, pattern) in [
        ("a", "*"),
        ("z", "disk.*"),
        ("b", "disk.*"),
        ("c", "disk.io.*"),
        ("d", "é*"),
        ("e", "D*"),
    ] {
        indexer
            .create_archive_policy_rule(&rule(name, "low", pattern))
            .await
            .unwrap();
    }
    let names: Vec<String> = indexer
        .archive_policy_rules()
        .await
        .unwrap()
        .into_iter()
        .map(|rule| rule.name)
        .collect();
    assert_eq!(names, ["d", "c", "b", "z", "e", "a"]);
}

/// A rule is refused when its policy is missing or its name is taken.
pub async fn an_archive_policy_rule_needs_its_policy(indexer: &dyn Indexer) {
    let refused = indexer
        .create_archive_policy_rule(&rule("all", "low", "*"))
        .await;
    assert_matches!(refused, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "low");
    create_policy(indexer, "low").await;
    indexer
        .create_archive_policy_rule(&rule("all", "low", "*"))
        .await
        .unwrap();
    let refused = indexer
        .create_archive_policy_rule(&rule("all", "low", "disk.*"))
        .await;
    assert_matches!(refused, Err(IndexerError::ArchivePolicyRuleExists { name }) if name == "all");
    assert_eq!(
        indexer.archive_policy_rule("all").await.unwrap(),
        rule("all", "low", "*")
    );
}

/// Renaming keeps the rest of a rule and never takes the name of another one.
pub async fn archive_policy_rules_can_be_renamed(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    indexer
        .create_archive_policy_rule(&rule("one", "low", "1*"))
        .await
        .unwrap();
    indexer
        .create_archive_policy_rule(&rule("two", "low", "2*"))
        .await
        .unwrap();
    let refused = indexer.rename_archive_policy_rule("one", "two").await;
    assert_matches!(refused, Err(IndexerError::ArchivePolicyRuleExists { name }) if name == "two");
    assert_eq!(
        indexer
            .rename_archive_policy_rule("one", "one")
            .await
            .unwrap(),
        rule("one", "low", "1*")
    );
    assert_eq!(
        indexer
            .rename_archive_policy_rule("one", "One")
            .await
            .unwrap(),
        rule("One", "low", "1*")
    );
    assert_eq!(
        indexer.archive_policy_rules().await.unwrap(),
        [rule("two", "low", "2*"), rule("One", "low", "1*")]
    );
}

/// A rule that does not exist can't be read, renamed or removed.
pub async fn an_absent_archive_policy_rule_is_an_error(indexer: &dyn Indexer) {
    let read = indexer.archive_policy_rule("none").await;
    assert_matches!(read, Err(IndexerError::NoSuchArchivePolicyRule { name }) if name == "none");
    let renamed = indexer.rename_archive_policy_rule("none", "some").await;
    assert_matches!(renamed, Err(IndexerError::NoSuchArchivePolicyRule { name }) if name == "none");
    let deleted = indexer.delete_archive_policy_rule("none").await;
    assert_matches!(deleted, Err(IndexerError::NoSuchArchivePolicyRule { name }) if name == "none");
    let created = indexer.create_metrics(&[unattached("none")], &[]).await;
    assert_matches!(created, Err(IndexerError::NoSuchArchivePolicy { name }) if name == "none");
}
