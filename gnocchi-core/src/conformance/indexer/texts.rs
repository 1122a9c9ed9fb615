//! Texts that mean something to a back-end, and texts that look alike.

use std::collections::BTreeMap;

use super::support::{attached, create_policy, create_resource, policy, resource, second};
use crate::driver::Indexer;
use crate::model::{ArchivePolicyRule, GENERIC, MetricId, NewMetric, ResourceId, ResourceType};

/// No two of them are the same text.
const TEXTS: [&str; 30] = [
    "a",
    "A",
    " a",
    "a ",
    "a\t",
    "\u{feff}a",
    "a\u{200b}",
    "\u{e9}",
    "e\u{301}",
    "\u{df}",
    "ss",
    "SS",
    "\u{130}",
    "i",
    "I",
    "\u{1}",
    "\n",
    "\r\n",
    "\u{7f}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "'",
    "\"",
    "\\",
    "\\u0000",
    "%",
    "_",
    "1",
    "01",
];

/// A text that can be stored comes back as it is, and names nothing else.
pub async fn texts_are_found_as_they_were_stored(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    for text in TEXTS {
        let named = policy(text);
        indexer.create_archive_policy(&named).await.unwrap();
        let rule = ArchivePolicyRule {
            name: text.into(),
            archive_policy_name: text.into(),
            metric_pattern: text.into(),
        };
        indexer.create_archive_policy_rule(&rule).await.unwrap();
        let resource_type = ResourceType::new(text, BTreeMap::new()).unwrap();
        indexer.create_resource_type(&resource_type).await.unwrap();
    }
    for text in TEXTS {
        let found = indexer.archive_policy(text).await.unwrap();
        assert_eq!(found.name(), text);
        let rule = indexer.archive_policy_rule(text).await.unwrap();
        assert_eq!(
            (&*rule.archive_policy_name, &*rule.metric_pattern),
            (text, text)
        );
        let found = indexer.resource_type(text).await.unwrap();
        assert_eq!(found.name(), text);
    }

    let owner = create_resource(indexer, GENERIC).await.id;
    let described: Vec<NewMetric> = TEXTS.map(|text| attached("low", owner, text)).into();
    let created = indexer.create_metrics(&described, &[]).await.unwrap();
    let names: Vec<(ResourceId, String)> = TEXTS.map(|text| (owner, text.to_owned())).into();
    let found = indexer.named_metrics(&names).await.unwrap();
    let found: Vec<MetricId> = found.into_iter().map(|metric| metric.unwrap().id).collect();
    assert!(found.iter().eq(created.iter().map(|metric| &metric.id)));
    let owner = indexer
        .resources(GENERIC, &[owner])
        .await
        .unwrap()
        .remove(0);
    let expected = TEXTS.iter().map(|text| (*text).to_owned()).zip(found);
    assert_eq!(owner.unwrap().metrics, expected.collect());

    for text in TEXTS {
        let mut described = resource(text);
        described.original_resource_id = text.into();
        described.user_id = Some(text.into());
        described.project_id = Some(text.into());
        let created = indexer
            .create_resource(&described, second(1))
            .await
            .unwrap();
        assert_eq!(created.original_resource_id, text);
        let found = indexer.resources(text, &[described.id]).await.unwrap();
        assert_eq!(found, [Some(created)]);
    }
}
