//! Archive policies: which aggregates are kept, and for how long.

use std::collections::BTreeSet;
use std::sync::Arc;

use carbonara::constants::LEVELS_MAX;
use carbonara::{AggregationMethod, AggregationPlan, Level, Timespan};
use thiserror::Error;

use super::is_storable;

/// The longest name of an archive policy, in characters.
pub const ARCHIVE_POLICY_NAME_CHARACTERS_MAX: usize = 255;

/// The methods of a policy that names none: mean, min, max, sum, std, count.
#[must_use]
pub fn default_aggregation_methods() -> Vec<AggregationMethod> {
    ["mean", "min", "max", "sum", "std", "count"]
        .iter()
        .map(|text| text.parse().expect("the default methods exist"))
        .collect()
}

/// One granularity of an archive policy and how much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    granularity: Timespan,
    points: Option<u64>,
    timespan: Option<Timespan>,
}

/// An archive policy that cannot exist as described.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ArchivePolicyError {
    /// Granularity, points and timespan are given and don't fit together.
    #[error("timespan ≠ granularity × points: {} s ≠ {} s × {points}", timespan.as_second_f64(), granularity.as_second_f64())]
    TimespanMismatch {
        /// The granularity.
        granularity: Timespan,
        /// The points.
        points: u64,
        /// The timespan.
        timespan: Timespan,
    },
    /// Too little is given to know the granularity.
    #[error("At least two of granularity/points/timespan must be provided")]
    Underspecified,
    /// The timespan is shorter than one granularity.
    #[error("Calculated number of points is < 0: a granularity of {} s is longer than a timespan of {} s", granularity.as_second_f64(), timespan.as_second_f64())]
    NoPoints {
        /// The granularity.
        granularity: Timespan,
        /// The timespan.
        timespan: Timespan,
    },
    /// The number of points is zero, or too large to be counted.
    #[error(
        "the number of points is {points}, and must be between 1 and {}",
        i64::MAX
    )]
    PointsOutOfRange {
        /// The number.
        points: u64,
    },
    /// The derived timespan is longer than can be kept.
    #[error("granularity × points is out of range: {} s × {points} is longer than 292 years", granularity.as_second_f64())]
    TooLong {
        /// The granularity.
        granularity: Timespan,
        /// The points.
        points: u64,
    },
    /// The derived granularity is shorter than a nanosecond.
    #[error("timespan / points is out of range: {} s / {points} is shorter than a nanosecond", timespan.as_second_f64())]
    TooFine {
        /// The timespan.
        timespan: Timespan,
        /// The points.
        points: u64,
    },
    /// There are more granularities than an archive policy can have.
    #[error("an archive policy has at most {LEVELS_MAX} granularities, and {found} are given")]
    TooManyGranularities {
        /// How many are given.
        found: usize,
    },
    /// Two definitions share one granularity.
    #[error("More than one archive policy uses granularity `{}'", python_float(granularity.as_second_f64()))]
    DuplicateGranularity {
        /// The granularity.
        granularity: Timespan,
    },
    /// There is no definition at all.
    #[error("an archive policy needs at least one granularity")]
    NoDefinition,
    /// No aggregation method is left.
    #[error("an archive policy needs at least one aggregation method")]
    NoMethod,
    /// The name is longer than 255 characters.
    #[error("archive policy name is longer than {ARCHIVE_POLICY_NAME_CHARACTERS_MAX} characters")]
    NameTooLong,
    /// The name holds U+0000.
    #[error("U+0000 is not supported in archive policy name")]
    Nul,
    /// A change adds or drops a granularity.
    #[error(
        "Cannot add or drop granularities: it has {}, and {found} are given",
        seconds(kept)
    )]
    GranularitiesAddedOrDropped {
        /// Those that it has.
        kept: Vec<Timespan>,
        /// How many the change has.
        found: usize,
    },
    /// A change replaces a granularity by another one.
    #[error("{} granularity interval was changed", python_float(granularity.as_second_f64()))]
    GranularityChanged {
        /// The granularity that is missing from the change.
        granularity: Timespan,
    },
}

/// Lists durations in seconds.
fn seconds(spans: &[Timespan]) -> String {
    let spans: Vec<String> = spans
        .iter()
        .map(|span| format!("{} s", span.as_second_f64()))
        .collect();
    spans.join(", ")
}

/// Prints seconds with at least one decimal, as clients expect them inside messages.
fn python_float(seconds: f64) -> String {
    format!("{seconds:?}")
}

/// Returns a number of points that can be multiplied with a granularity.
fn counted(points: u64) -> Result<i64, ArchivePolicyError> {
    i64::try_from(points)
        .ok()
        .filter(|count| *count > 0)
        .ok_or(ArchivePolicyError::PointsOutOfRange { points })
}

impl Definition {
    /// Completes a definition of which two of three parts are given, or the granularity alone (kept forever).
    ///
    /// A derived granularity is timespan / points, truncated to nanoseconds; derived points are rounded down, and the timespan
    /// is then granularity × points.
    ///
    /// # Errors
    /// [`ArchivePolicyError`] when the parts don't fit or don't suffice.
    pub fn new(
        granularity: Option<Timespan>,
        points: Option<u64>,
        timespan: Option<Timespan>,
    ) -> Result<Self, ArchivePolicyError> {
        match (granularity, points, timespan) {
            (Some(granularity), None, None) => Ok(Self {
                granularity,
                points: None,
                timespan: None,
            }),
            (Some(granularity), Some(points), None) => Self::bounded(granularity, points),
            (Some(granularity), None, Some(timespan)) => {
                let points = timespan.as_nanosecond() / granularity.as_nanosecond();
                let points = u64::try_from(points).unwrap_or_default();
                if points == 0 {
                    return Err(ArchivePolicyError::NoPoints {
                        granularity,
                        timespan,
                    });
                }
                Self::bounded(granularity, points)
            }
            (None, Some(points), Some(timespan)) => {
                let count = counted(points)?;
                let granularity = Timespan::from_nanosecond(timespan.as_nanosecond() / count)
                    .map_err(|_| ArchivePolicyError::TooFine { timespan, points })?;
                Self::bounded(granularity, points)
            }
            (Some(granularity), Some(points), Some(timespan)) => {
                let definition = Self::bounded(granularity, points)?;
                if definition.timespan == Some(timespan) {
                    Ok(definition)
                } else {
                    Err(ArchivePolicyError::TimespanMismatch {
                        granularity,
                        points,
                        timespan,
                    })
                }
            }
            (None, ..) => Err(ArchivePolicyError::Underspecified),
        }
    }

    fn bounded(granularity: Timespan, points: u64) -> Result<Self, ArchivePolicyError> {
        let timespan =
            granularity
                .checked_mul(counted(points)?)
                .ok_or(ArchivePolicyError::TooLong {
                    granularity,
                    points,
                })?;
        Ok(Self {
            granularity,
            points: Some(points),
            timespan: Some(timespan),
        })
    }

    /// Returns the length of one bucket.
    #[must_use]
    pub fn granularity(&self) -> Timespan {
        self.granularity
    }

    /// Returns how many buckets are kept; `None` keeps all.
    #[must_use]
    pub fn points(&self) -> Option<u64> {
        self.points
    }

    /// Returns how far back from the newest bucket is kept; `None` keeps all.
    #[must_use]
    pub fn timespan(&self) -> Option<Timespan> {
        self.timespan
    }
}

/// A choice of aggregation methods as people write it: names, `*`, `+name`, `-name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodSelection {
    /// Every method.
    All,
    /// This one.
    Plain(AggregationMethod),
    /// This one on top of the others.
    Add(AggregationMethod),
    /// The others without this one.
    Remove(AggregationMethod),
}

impl MethodSelection {
    /// Parses one entry: a method, `*`, `+method` or `-method`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_at_checked(1) {
            Some(("*", "")) => Some(Self::All),
            Some(("+", method)) => method.parse().ok().map(Self::Add),
            Some(("-", method)) => method.parse().ok().map(Self::Remove),
            _ => text.parse().ok().map(Self::Plain),
        }
    }

    /// Resolves a list of entries: every method if `*` is among them, else the plain ones, else `defaults`; then removals and
    /// additions in order.
    #[must_use]
    pub fn resolve(entries: &[Self], defaults: &[AggregationMethod]) -> Vec<AggregationMethod> {
        let mut plain: Vec<AggregationMethod> = entries
            .iter()
            .filter_map(|entry| match entry {
                Self::Plain(method) => Some(*method),
                _ => None,
            })
            .collect();
        if entries.contains(&Self::All) {
            plain = AggregationMethod::all().collect();
        } else if plain.is_empty() {
            plain = defaults.to_vec();
        }
        for entry in entries {
            match entry {
                Self::Remove(method) => plain.retain(|kept| kept != method),
                Self::Add(method) => plain.push(*method),
                Self::All | Self::Plain(_) => {}
            }
        }
        let mut seen = BTreeSet::new();
        plain.retain(|method| seen.insert(method.to_string()));
        plain
    }
}

/// An archive policy: granularities with their retention, aggregation methods, and how late a measure may come.
#[derive(Debug, Clone)]
pub struct ArchivePolicy {
    name: String,
    back_window: u32,
    definition: Vec<Definition>,
    aggregation_methods: Vec<AggregationMethod>,
    plan: Arc<AggregationPlan>,
}

impl PartialEq for ArchivePolicy {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.back_window == other.back_window
            && self.definition == other.definition
            && self.aggregation_methods == other.aggregation_methods
    }
}

impl ArchivePolicy {
    /// Makes a policy.
    ///
    /// `back_window` counts blocks of the coarsest granularity: measures that much older than the newest one are still taken.
    ///
    /// # Errors
    /// [`ArchivePolicyError`] when the name is too long or contains U+0000, a granularity occurs twice, or there is no definition or no method.
    pub fn new(
        name: impl Into<String>,
        back_window: u32,
        definition: Vec<Definition>,
        aggregation_methods: Vec<AggregationMethod>,
    ) -> Result<Self, ArchivePolicyError> {
        let name = name.into();
        if name.chars().count() > ARCHIVE_POLICY_NAME_CHARACTERS_MAX {
            return Err(ArchivePolicyError::NameTooLong);
        }
        if !is_storable(&name) {
            return Err(ArchivePolicyError::Nul);
        }
        if aggregation_methods.is_empty() {
            return Err(ArchivePolicyError::NoMethod);
        }
        if definition.is_empty() {
            return Err(ArchivePolicyError::NoDefinition);
        }
        let mut granularities = BTreeSet::new();
        for item in &definition {
            if !granularities.insert(item.granularity) {
                return Err(ArchivePolicyError::DuplicateGranularity {
                    granularity: item.granularity,
                });
            }
        }
        let levels = definition
            .iter()
            .map(|item| Level {
                granularity: item.granularity,
                timespan: item.timespan,
            })
            .collect();
        // Whether there are levels, and each once, is checked above.
        let plan =
            AggregationPlan::new(levels, &aggregation_methods, back_window).map_err(|_| {
                ArchivePolicyError::TooManyGranularities {
                    found: definition.len(),
                }
            })?;
        Ok(Self {
            name,
            back_window,
            definition,
            aggregation_methods,
            plan: Arc::new(plan),
        })
    }

    /// Returns the same policy with other retentions and, when given, another back window.
    ///
    /// # Errors
    /// [`ArchivePolicyError`] when the set of granularities differs: stored aggregates can't be made again from raw points.
    pub fn changed(
        &self,
        definition: Vec<Definition>,
        back_window: Option<u32>,
    ) -> Result<Self, ArchivePolicyError> {
        if definition.len() != self.definition.len() {
            return Err(ArchivePolicyError::GranularitiesAddedOrDropped {
                kept: self
                    .definition
                    .iter()
                    .map(Definition::granularity)
                    .collect(),
                found: definition.len(),
            });
        }
        let granularities: BTreeSet<Timespan> =
            definition.iter().map(Definition::granularity).collect();
        if let Some(missing) = self
            .definition
            .iter()
            .find(|item| !granularities.contains(&item.granularity))
        {
            return Err(ArchivePolicyError::GranularityChanged {
                granularity: missing.granularity,
            });
        }
        Self::new(
            self.name.clone(),
            back_window.unwrap_or(self.back_window),
            definition,
            self.aggregation_methods.clone(),
        )
    }

    /// Returns the unique name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the back window, in blocks of the coarsest granularity.
    #[must_use]
    pub fn back_window(&self) -> u32 {
        self.back_window
    }

    /// Returns the granularities in the order in which they were given.
    #[must_use]
    pub fn definition(&self) -> &[Definition] {
        &self.definition
    }

    /// Returns the aggregation methods, expanded, without repetition.
    #[must_use]
    pub fn aggregation_methods(&self) -> &[AggregationMethod] {
        &self.aggregation_methods
    }

    /// Returns what the engine needs to know of this policy.
    #[must_use]
    pub fn plan(&self) -> &Arc<AggregationPlan> {
        &self.plan
    }

    /// Returns the policies of a fresh store: `bool`, `low`, `medium` and `high`, the last three with `methods`.
    #[must_use]
    pub fn defaults(methods: &[AggregationMethod]) -> Vec<Self> {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        let level = |granularity: i64, timespan: i64| {
            let seconds =
                |count| Timespan::from_second(count).expect("the default spans are positive");
            Definition::new(Some(seconds(granularity)), None, Some(seconds(timespan)))
                .expect("the default definitions fit")
        };
        let policy = |name: &str, back_window, definition, methods: &[AggregationMethod]| {
            Self::new(name, back_window, definition, methods.to_vec())
                .expect("the default policies are right")
        };
        let last = "last".parse().expect("`last` is a method");
        let minute_and_hour = [level(MINUTE, 7 * DAY), level(HOUR, 365 * DAY)];
        vec![
            policy("bool", 3600, vec![level(1, 365 * DAY)], &[last]),
            policy("low", 0, vec![level(5 * MINUTE, 30 * DAY)], methods),
            policy("medium", 0, minute_and_hour.to_vec(), methods),
            policy(
                "high",
                0,
                [&[level(1, HOUR)][..], &minute_and_hour].concat(),
                methods,
            ),
        ]
    }
}

#[cfg(test)]
#[path = "archive_policy_tests.rs"]
mod tests;
