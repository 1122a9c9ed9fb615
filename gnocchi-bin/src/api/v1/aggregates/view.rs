//! What was computed as JSON.

use std::sync::Arc;

use carbonara::expression::{Granularity, Origin, Outcome, Reference, Shape};
use gnocchi_core::model::{AttributeValue, Resource};
use gnocchi_core::query::{
    GroupAggregates, HistoryAggregates, KeepResources, LevelGranularity, LevelMeasures, Outcomes,
    Source,
};
use serde_json::{Map, Value};

use super::document::{Document, LevelRows};
use crate::api::v1::measures::granularity_label;
use crate::api::v1::resource::{self, Attributes};

/// The entry of a result that belongs to no single series.
const AGGREGATED: &str = "aggregated";

/// Where a list of measures stands in a result: the names of the entries that lead to it.
type Place = Vec<String>;

/// Writes a result with what it refers to, if that is wanted.
pub(super) fn measures(
    document: &mut Document,
    references: &[Reference],
    sources: &[Source],
    outcomes: Outcomes,
    details: Option<Vec<Value>>,
) {
    document.text("{").key("measures");
    let lists = lists(references, sources, outcomes);
    write_tree(document, lists);
    end(document, details);
}

/// Writes the result of the only group.
pub(super) fn only_group(
    document: &mut Document,
    references: &[Reference],
    groups: Vec<GroupAggregates>,
    keep: KeepResources,
    attributes: Attributes,
) {
    for group in groups.into_iter().take(1) {
        let details = details(&group.resources, keep, attributes);
        measures(document, references, &group.sources, group.outcomes, details);
    }
}

/// Writes the results of groups.
pub(super) fn groups(
    document: &mut Document,
    references: &[Reference],
    groups: Vec<GroupAggregates>,
    keep: KeepResources,
    attributes: Attributes,
) {
    document.text("[");
    for (index, group) in groups.into_iter().enumerate() {
        begin_group(document, index, &group.properties);
        let details = details(&group.resources, keep, attributes);
        measures(document, references, &group.sources, group.outcomes, details);
        document.text("}");
    }
    document.text("]");
}

/// Writes the results of groups whose members changed.
pub(super) fn history(
    document: &mut Document,
    groups: Vec<HistoryAggregates>,
    keep: KeepResources,
    attributes: Attributes,
) {
    document.text("[");
    for (index, group) in groups.into_iter().enumerate() {
        begin_group(document, index, &group.properties);
        let levels = group.levels.into_iter().map(|level| LevelRows {
            granularity: label(level.granularity),
            timestamps_ns: Arc::new(level.timestamps_ns),
            values: level.values,
        });
        document.text("{").key("measures").text("{").key(AGGREGATED);
        document.measures(levels.collect()).text("}");
        end(document, details(&group.resources, keep, attributes));
        document.text("}");
    }
    document.text("]");
}

/// A list of rows, or of groups with a list each.
#[derive(Debug)]
pub(super) struct LegacyList {
    grouped: bool,
}

/// Writes one list of measures.
pub(super) fn level_list(document: &mut Document, levels: Vec<LevelMeasures>) {
    let rows = levels.into_iter().map(|level| {
        let (timestamps_ns, values) = level.series.into_parts();
        LevelRows {
            granularity: granularity_label(level.granularity),
            timestamps_ns: Arc::new(timestamps_ns),
            values,
        }
    });
    document.measures(rows.collect());
}

/// Writes the beginning of a group, up to its measures.
pub(super) fn begin_group(
    document: &mut Document,
    index: usize,
    properties: &[(String, Option<AttributeValue>)],
) {
    let group: Map<String, Value> = properties
        .iter()
        .map(|(name, value)| (name.clone(), resource::attribute(value.as_ref())))
        .collect();
    document.text(if index == 0 { "{" } else { ", {" });
    document.key("group").value(&group).text(", ").key("measures");
}

/// Writes the end of a result.
fn end(document: &mut Document, details: Option<Vec<Value>>) {
    if let Some(details) = details {
        document.text(", ").key("references").value(&details);
    }
    document.text("}");
}

fn details(
    resources: &[Resource],
    keep: KeepResources,
    attributes: Attributes,
) -> Option<Vec<Value>> {
    let view = |resource| Value::Object(resource::view(resource, attributes));
    (keep == KeepResources::Keep).then(|| resources.iter().map(view).collect())
}

/// Files the columns of all granularities under their places, in the order in which places first occur.
fn lists(
    references: &[Reference],
    sources: &[Source],
    outcomes: Outcomes,
) -> Vec<(Place, Vec<LevelRows>)> {
    let mut lists: Vec<(Place, Vec<LevelRows>)> = Vec::new();
    let mut index: BTreeMap<Place, usize> = BTreeMap::new();
    for outcome in outcomes {
        for column in 0..outcome.columns.len() {
            let place = match outcome.columns[column].origin {
                Origin::Aggregated => vec![AGGREGATED.to_owned()],
                Origin::Input(input) => place_of(&sources[input], references),
            };
            let at = *index.entry(place.clone()).or_insert_with(|| {
                lists.push((place, Vec::new()));
                lists.len() - 1
            });
            lists[at].1.push(rows(&outcome, column));
        }
    }
    lists
}
