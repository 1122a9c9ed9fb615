//! The stretches of time in which resources did not change, filed by what the resources were.

use std::collections::BTreeMap;

use carbonara::Timestamp;

use super::groups::{KeepResources, properties};
use super::selection::{Found, Listed, Patterns};
use crate::error::Error;
use crate::model::{AttributeValue, Resource, ResourceId};

/// How many stretches of time a query may have; each takes some hundred bytes until all are known.
const STRETCHES_MAX: usize = 200_000;

/// A part of the time in which a resource did not change.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) resource: ResourceId,
    /// `None` since ever.
    pub(super) start: Option<Timestamp>,
    /// `None` until now and later.
    pub(super) end: Option<Timestamp>,
    /// The metrics that are looked for.
    pub(super) metrics: Vec<Found>,
}

/// Stretches of resources that agreed in some properties.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) properties: Vec<(String, Option<AttributeValue>)>,
    pub(super) resources: Vec<Resource>,
    pub(super) stretches: Vec<Stretch>,
}

/// Groups by the text of their properties; what is not set comes first.
pub(super) type Groups = BTreeMap<Vec<Option<String>>, Group>;

/// When a revision begins to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// It is the first one: measures from before belong to it.
    WithResource,
    /// At its own beginning.
    WithRevision,
}

/// Turns revisions into stretches and files them.
pub(super) struct Collector {
    pub(super) group_by: Vec<String>,
    pub(super) patterns: Patterns,
    pub(super) keep: KeepResources,
    pub(super) start: Option<Timestamp>,
    pub(super) stop: Option<Timestamp>,
    pub(super) groups: Groups,
    pub(super) stretches: usize,
}

impl Collector {
    /// Files a revision; those of a resource come one after the other.
    pub(super) fn add(&mut self, listed: Listed, begins: Begins) -> Result<(), Error> {
        let Listed {
            resource: row,
            found: metrics,
        } = listed;
        let Some((start, end)) = self.window(&row, begins) else {
            return Ok(());
        };
        if metrics.is_empty() {
            return Ok(());
        }
        self.stretches += 1;
        if self.stretches > STRETCHES_MAX {
            return Err(Error::TooManySeries {
                limit: STRETCHES_MAX,
            });
        }
        let properties = properties(&row, &self.group_by);
        let key = properties
            .iter()
            .map(|(_, value)| value.as_ref().map(text_of))
            .collect();
        let group = self.groups.entry(key).or_insert_with(|| Group {
            properties,
            resources: Vec::new(),
            stretches: Vec::new(),
        });
        group.stretches.push(Stretch {
            resource: row.id,
            start,
            end,
            metrics,
        });
        if self.keep == KeepResources::Keep {
            // Revisions of a resource follow each other.
            group.resources.pop_if(|last| last.id == row.id);
            group.resources.push(row);
        }
        Ok(())
    }

    /// Returns when a revision counts; `None` when that is never.
    fn window(
        &self,
        row: &Resource,
        begins: Begins,
    ) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        let after =
            matches!((self.start, self.stop), (Some(_), Some(stop)) if row.revision_start >= stop);
        let start = match begins {
            Begins::WithResource => self.start,
            Begins::WithRevision => {
                let start = self.start.unwrap_or(row.revision_start);
                Some(start.max(row.revision_start))
            }
        };
        let end = match (row.revision_end, self.stop) {
            (Some(end), Some(stop)) => Some(end.min(stop)),
            (end, stop) => end.or(stop),
        };
        let empty = matches!((start, end), (Some(start), Some(end)) if start >= end);
        (!after && !empty).then_some((start, end))
    }
}

/// Orders stretches by their beginning; those of one resource that begin together become one.
pub(super) fn in_order(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    // Stable: resources stay in the order of the listing.
    stretches.sort_by_key(|stretch| stretch.start);
    let mut ordered: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match ordered.last_mut() {
            Some(last) if last.resource == stretch.resource && last.start == stretch.start => {
                last.end = match (last.end, stretch.end) {
                    (Some(one), Some(other)) => Some(one.max(other)),
                    _ => None,
                };
            }
            _ => ordered.push(stretch),
        }
    }
    ordered
}

/// Returns a text by which values of one kind are ordered.
fn text_of(value: &AttributeValue) -> String {
    match value {
        AttributeValue::String(text) => text.clone(),
        AttributeValue::Number(number) => number.to_string(),
        AttributeValue::Uuid(uuid) => uuid.to_string(),
        AttributeValue::Bool(truth) => truth.to_string(),
        AttributeValue::Datetime(moment) => format!("{:020}", moment.as_nanosecond()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use carbonara::expression::Reference;

    use super::*;
    use crate::model::MetricId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn revision(id: &str, start: i64, end: Option<i64>) -> Resource {
        Resource {
            revision_start: at(start),
            revision_end: end.map(at),
            metrics: BTreeMap::from([("cpu".to_owned(), MetricId::random())]),
            ..Resource::example(id, None)
        }
    }

    /// The times of stretches, in seconds.
    type Times = Vec<(Option<i64>, Option<i64>)>;

    /// Collects revisions that all fall into one group.
    fn collect(rows: Vec<Resource>, start: Option<i64>, stop: Option<i64>) -> Times {
        let mut collector = Collector {
            group_by: vec!["project_id".to_owned()],
            patterns: Patterns::of(&[&Reference::new("c*", "mean")]).unwrap(),
            keep: KeepResources::Drop,
            start: start.map(at),
            stop: stop.map(at),
            groups: Groups::new(),
            stretches: 0,
        };
        let mut known = BTreeSet::new();
        for resource in rows {
            let begins = if known.insert(resource.id) {
                Begins::WithResource
            } else {
                Begins::WithRevision
            };
            let found = resource.metrics.iter().map(|(name, metric)| Found {
                reference: 0,
                name: name.clone(),
                metric: *metric,
            });
            let found = found.collect();
            collector.add(Listed { resource, found }, begins).unwrap();
        }
        let groups = collector.groups.into_values();
        let second = |moment: Option<Timestamp>| moment.map(Timestamp::as_second);
        in_order(groups.flat_map(|group| group.stretches).collect())
            .into_iter()
            .map(|stretch| (second(stretch.start), second(stretch.end)))
            .collect()
    }

    #[test]
    fn revisions_count_within_the_time_that_is_asked_for() {
        let check = |start: Option<i64>, stop: Option<i64>, expected: &[(_, _)]| {
            let rows = vec![revision("a", 5, Some(10)), revision("a", 10, None)];
            assert_eq!(collect(rows, start, stop), expected, "{start:?} {stop:?}");
        };
        // What was before the first revision counts for it.
        check(None, None, &[(None, Some(10)), (Some(10), None)]);
        check(Some(0), None, &[(Some(0), Some(10)), (Some(10), None)]);
        check(
            Some(7),
            Some(20),
            &[(Some(7), Some(10)), (Some(10), Some(20))],
        );
        check(Some(12), None, &[(Some(12), None)]);
        check(None, Some(8), &[(None, Some(8))]);
        check(Some(1), Some(4), &[]);
        check(Some(10), Some(11), &[(Some(10), Some(11))]);
    }

    #[test]
    fn stretches_of_one_resource_that_begin_together_are_one() {
        let rows = vec![
            revision("a", 5, Some(10)),
            revision("a", 8, Some(12)),
            revision("b", 6, Some(9)),
        ];
        // Of the other resource nothing is lost.
        let expected = [(Some(8), Some(12)), (Some(8), Some(9))];
        assert_eq!(collect(rows, Some(8), None), expected);
    }
}
