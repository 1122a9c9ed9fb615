//! What was computed as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use carbonara::align::Keep;
use carbonara::expression::{Origin, Outcome, Reference, Shape};
use gnocchi_core::model::{AttributeValue, Resource};
use gnocchi_core::query::{
    GroupAggregates, HistoryAggregates, KeepResources, LevelMeasures, Outcomes, Source,
};
use serde_json::{Map, Value};

use crate::api::response::render::{Document, LevelRows};
use crate::api::v1::measures::granularity_label;
use crate::api::v1::resource::{self, Attributes};

/// The entry of a result that belongs to no single series.
const AGGREGATED: &str = "aggregated";

/// How the results of resources are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// What the expression refers to.
    pub(super) references: &'a [&'a Reference],
    /// Whether the resources are written too.
    pub(super) keep: KeepResources,
    /// Whether they have the attributes of their type.
    pub(super) attributes: Attributes,
}

/// Writes a result, with what it refers to if that is wanted.
pub(super) fn measures(
    document: &mut Document,
    references: &[&Reference],
    sources: &[Source],
    outcomes: Outcomes,
    details: Option<Vec<Value>>,
) {
    document.text("{").key("measures");
    tree(references, sources, outcomes).write(document);
    end(document, details);
}

impl View<'_> {
    /// Writes the result of one group.
    pub(super) fn group(self, document: &mut Document, group: GroupAggregates) {
        let details = self.details(&group.resources);
        measures(
            document,
            self.references,
            &group.sources,
            group.outcomes,
            details,
        );
    }

    /// Writes the results of groups.
    pub(super) fn groups(self, document: &mut Document, groups: Vec<GroupAggregates>) {
        document.text("[");
        for (index, group) in groups.into_iter().enumerate() {
            begin_group(document, index, &group.properties);
            self.group(document, group);
            document.text("}");
        }
        document.text("]");
    }

    /// Writes the results of groups whose members changed.
    pub(super) fn history(self, document: &mut Document, groups: Vec<HistoryAggregates>) {
        document.text("[");
        for (index, group) in groups.into_iter().enumerate() {
            begin_group(document, index, &group.properties);
            let levels = group.levels.into_iter().map(|level| LevelRows {
                granularity: granularity_label(level.granularity),
                timestamps_ns: Arc::new(level.timestamps_ns),
                values: level.values,
            });
            document.text("{").key("measures").text("{").key(AGGREGATED);
            document.measures(levels.collect()).text("}");
            end(document, self.details(&group.resources));
            document.text("}");
        }
        document.text("]");
    }

    fn details(self, resources: &[Resource]) -> Option<Vec<Value>> {
        let view = |resource| Value::Object(resource::view(resource, self.attributes));
        (self.keep == KeepResources::Keep).then(|| resources.iter().map(view).collect())
    }
}

/// Writes one list of measures.
pub(in crate::api::v1) fn level_list(document: &mut Document, levels: Vec<LevelMeasures>) {
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
    document
        .key("group")
        .value(&group)
        .text(", ")
        .key("measures");
}

/// Writes the end of a result.
fn end(document: &mut Document, details: Option<Vec<Value>>) {
    if let Some(details) = details {
        document.text(", ").key("references").value(&details);
    }
    document.text("}");
}

/// Files the columns of all granularities under their names.
fn tree(references: &[&Reference], sources: &[Source], outcomes: Outcomes) -> Tree {
    let mut root = Tree::default();
    for outcome in outcomes {
        let granularity = granularity_label(outcome.granularity);
        let Outcome {
            timestamps_ns,
            columns,
            keep,
            shape,
            ..
        } = outcome;
        let timestamps_ns = Arc::new(timestamps_ns);
        if columns.is_empty() && shape == Shape::Aggregated {
            // One of the operands has no series: the list is there, and empty.
            root.add(
                &[AGGREGATED],
                shown(&granularity, &Arc::default(), Vec::new(), keep),
            );
        }
        for column in columns {
            let rows = shown(&granularity, &timestamps_ns, column.values, keep);
            match column.origin {
                Origin::Aggregated => root.add(&[AGGREGATED], rows),
                Origin::Input(input) => {
                    let source = &sources[input];
                    let method = references[source.reference].method.as_str();
                    let id = match &source.found {
                        Some(found) => found.resource.to_string(),
                        None => source.metric.id.to_string(),
                    };
                    match &source.found {
                        Some(found) => root.add(&[&id, &found.name, method], rows),
                        None => root.add(&[&id, method], rows),
                    }
                }
            }
        }
    }
    root
}

/// Leaves out what is not shown. Columns of which everything is shown share their timestamps.
fn shown(
    granularity: &str,
    timestamps_ns: &Arc<Vec<i64>>,
    values: Vec<f64>,
    keep: Keep,
) -> LevelRows {
    let (timestamps_ns, values) = if values.iter().all(|value| keep.shows(*value)) {
        (Arc::clone(timestamps_ns), values)
    } else {
        let pairs = timestamps_ns.iter().copied().zip(values);
        let (stamps, values) = pairs.filter(|(_, value)| keep.shows(*value)).unzip();
        (Arc::new(stamps), values)
    };
    LevelRows {
        granularity: granularity.to_owned(),
        timestamps_ns,
        values,
    }
}

/// Lists of measures by the names that lead to them.
#[derive(Debug, Default)]
struct Tree {
    branches: BTreeMap<String, Tree>,
    list: Option<Vec<LevelRows>>,
}

impl Tree {
    fn add(&mut self, path: &[&str], rows: LevelRows) {
        match path.split_first() {
            None => self.list.get_or_insert_default().push(rows),
            Some((first, rest)) => {
                let branch = self.branches.entry((*first).to_owned()).or_default();
                branch.add(rest, rows);
            }
        }
    }

    fn write(self, document: &mut Document) {
        if let Some(list) = self.list {
            document.measures(list);
            return;
        }
        document.text("{");
        for (index, (name, branch)) in self.branches.into_iter().enumerate() {
            if index > 0 {
                document.text(", ");
            }
            document.key(&name);
            branch.write(document);
        }
        document.text("}");
    }
}
