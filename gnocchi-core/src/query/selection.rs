//! Which metrics of resources an expression refers to.

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

/// How many names are compared before the budget is asked again.
const NAMES_AT_ONCE: usize = 4096;

/// About how much memory a metric that was found takes beside its name, in bytes.
const FOUND_BYTES: usize = 64;

/// The names of the references of an expression, as patterns.
#[derive(Debug, Clone)]
pub(super) struct Patterns {
    globs: Vec<Glob>,
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
    /// [`AggregatesError::TooManyPatterns`], [`AggregatesError::PatternTooLong`].
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
        let globs = references.iter().map(|one| Glob::new(&one.name));
        Ok(Self {
            globs: globs.collect(),
        })
    }

    /// Makes the pattern that only this name fits.
    pub(super) fn literal(name: &str) -> Self {
        Self {
            globs: vec![Glob::literal(name)],
        }
    }

    pub(super) fn globs(&self) -> &[Glob] {
        &self.globs
    }

    /// Finds the metrics of resources that fit, and the memory that they take; where nobody waits when there is much to compare.
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
        let comparisons = names.saturating_mul(self.globs.len());
        budget.compute(comparisons, work).await?
    }

    fn found(
        &self,
        budget: &Budget,
        held: &mut Held,
        resource: &Resource,
    ) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        for (reference, glob) in self.globs.iter().enumerate() {
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
                budget.spend(compared)?;
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
