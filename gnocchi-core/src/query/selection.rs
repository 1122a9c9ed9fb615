//! Which metrics of resources an expression refers to.

use std::sync::Arc;

use carbonara::expression::Reference;
use hashbrown::HashSet;

use super::aggregates::AggregatesError;
use crate::budget::{Budget, Held};
use crate::error::Error;
use crate::model::{Glob, MetricId, Resource};

/// How many patterns an expression may have.
const PATTERNS_MAX: usize = 256;

/// How long a pattern may be, in bytes: names are much shorter, but a set of characters may be long.
const PATTERN_BYTES_MAX: usize = 4096;

/// How long all patterns of an expression may be together, in bytes: what is compiled of one takes up to some hundred times its length.
const PATTERNS_BYTES_MAX: usize = 64 << 10;

/// How long a pattern is whose comparison with a name takes twice as long as that of a short one, in bytes.
const PATTERN_BYTES_PER_CELL: usize = 64;

/// How many names are compared before the budget is asked again.
const NAMES_AT_ONCE: usize = 4096;

/// About how much memory a metric that was found takes beside its name, in bytes.
const FOUND_BYTES: usize = 64;

/// The names of the references of an expression, as patterns; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Patterns {
    globs: Arc<[Glob]>,
    /// How many cells a comparison with each of them counts for.
    cells: Arc<[usize]>,
}

/// A metric of a resource that fits a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The place of the pattern.
    pub(super) reference: usize,
    /// The name of the metric.
    pub(super) name: String,
    pub(super) metric: MetricId,
}

/// A resource, and those of its metrics that fit, by pattern, then by name.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) resource: Resource,
    pub(super) found: Vec<Found>,
}

impl Patterns {
    /// Compiles the names of references.
    ///
    /// # Errors
    /// [`AggregatesError::TooManyPatterns`], [`AggregatesError::PatternTooLong`], [`AggregatesError::PatternsTooLong`].
    pub(super) fn of(references: &[&Reference]) -> Result<Self, AggregatesError> {
        if references.len() > PATTERNS_MAX {
            return Err(AggregatesError::TooManyPatterns {
                limit: PATTERNS_MAX,
            });
        }
        if references
            .iter()
            .any(|one| one.name.len() > PATTERN_BYTES_MAX)
        {
            return Err(AggregatesError::PatternTooLong {
                limit_bytes: PATTERN_BYTES_MAX,
            });
        }
        let lengths = references.iter().map(|one| one.name.len());
        if lengths.clone().sum::<usize>() > PATTERNS_BYTES_MAX {
            return Err(AggregatesError::PatternsTooLong {
                limit_bytes: PATTERNS_BYTES_MAX,
            });
        }
        let globs = references.iter().map(|one| Glob::new(&one.name));
        Ok(Self {
            globs: globs.collect(),
            cells: lengths
                .map(|bytes| 1 + bytes / PATTERN_BYTES_PER_CELL)
                .collect(),
        })
    }

    /// Makes the pattern that only this name fits.
    pub(super) fn literal(name: &str) -> Self {
        Self {
            globs: Arc::from([Glob::literal(name)]),
            cells: Arc::from([1]),
        }
    }

    pub(super) fn globs(&self) -> &[Glob] {
        &self.globs
    }

    /// Finds the metrics of resources that fit, and the memory that they take; on a blocking thread when there is much to compare.
    pub(super) async fn select(
        &self,
        budget: &Budget,
        resources: Vec<Resource>,
    ) -> Result<(Vec<Listed>, Held), Error> {
        let names: usize = resources.iter().map(|one| one.metrics.len()).sum();
        let (patterns, own) = (self.clone(), budget.clone());
        let work = move || {
            let mut held = own.hold(0)?;
            let found = resources.into_iter().map(|resource| {
                let found = patterns.found(&own, &mut held, &resource)?;
                Ok(Listed { resource, found })
            });
            let found = found.collect::<Result<Vec<Listed>, Error>>()?;
            Ok((found, held))
        };
        let cells = names.saturating_mul(self.cells.iter().sum());
        budget.compute(cells, work).await?
    }

    fn found(
        &self,
        budget: &Budget,
        held: &mut Held,
        resource: &Resource,
    ) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        for (reference, (glob, cells)) in self.globs.iter().zip(&*self.cells).enumerate() {
            let mut rest = resource.metrics.iter().peekable();
            while rest.peek().is_some() {
                let names = rest.by_ref().take(NAMES_AT_ONCE);
                let mut bytes = 0;
                let mut compared = 0;
                for (name, metric) in names {
                    compared += 1;
                    if glob.matches(name) {
                        bytes += name.len() + FOUND_BYTES;
                        found.push(Found {
                            reference,
                            name: name.clone(),
                            metric: *metric,
                        });
                    }
                }
                budget.spend(compared * cells)?;
                held.grow(bytes)?;
            }
        }
        Ok(found)
    }
}

impl Listed {
    /// Leaves out metrics that fit and may not be read.
    pub(super) fn restrict(&mut self, readable: &HashSet<MetricId>) {
        let hidden: HashSet<MetricId> = self
            .found
            .iter()
            .map(|found| found.metric)
            .filter(|metric| !readable.contains(metric))
            .collect();
        if !hidden.is_empty() {
            self.resource
                .metrics
                .retain(|_, metric| !hidden.contains(metric));
            self.found.retain(|found| !hidden.contains(&found.metric));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_a_length() {
        let patterns = |count: usize, bytes: usize| {
            let references = vec![Reference::new("a".repeat(bytes), "mean"); count];
            Patterns::of(&references.iter().collect::<Vec<_>>())
        };
        // As many names of metrics as there may be patterns.
        assert!(patterns(PATTERNS_MAX, 255).is_ok());
        assert!(matches!(
            patterns(PATTERNS_MAX + 1, 1),
            Err(AggregatesError::TooManyPatterns { .. })
        ));
        assert!(matches!(
            patterns(1, PATTERN_BYTES_MAX + 1),
            Err(AggregatesError::PatternTooLong { .. })
        ));
        assert!(matches!(
            patterns(
                PATTERNS_BYTES_MAX / PATTERN_BYTES_MAX + 1,
                PATTERN_BYTES_MAX
            ),
            Err(AggregatesError::PatternsTooLong { .. })
        ));
    }

    #[test]
    fn long_patterns_count_for_more() {
        let cells = |name: &str| {
            Patterns::of(&[&Reference::new(name, "mean")])
                .unwrap()
                .cells
        };
        assert_eq!(*cells("cpu.*"), [1]);
        assert!(cells(&"?".repeat(PATTERN_BYTES_MAX))[0] > 50);
    }
}
