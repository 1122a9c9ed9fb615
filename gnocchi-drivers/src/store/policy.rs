//! Archive policies as programs describe them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use carbonara::{AggregationMethod, TimeError, Timespan};
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{ArchivePolicy, Definition};

use super::Store;
use super::error::{Error, list};
use super::method::IntoMethod;

/// An archive policy: which aggregates are kept of a metric, and for how long.
///
/// What cannot be used is reported when the policy is [ensured](Store::ensure_policy).
///
/// # Examples
/// ```
/// use gnocchi_drivers::Policy;
/// use gnocchi_drivers::span::{HOUR, MINUTE, SECOND, days};
///
/// // Seconds for a day, minutes for a month, hours for a year.
/// let policy = Policy::named("agent")
///     .keep(SECOND, days(1))
///     .keep(MINUTE, days(30))
///     .keep(HOUR, days(365))
///     .methods(["mean", "max", "95pct", "count"])
///     .back_window(1);
/// ```
#[derive(Debug)]
#[must_use = "a policy does nothing until it is passed to `Store::ensure_policy`"]
pub struct Policy {
    name: String,
    definition: Vec<Definition>,
    methods: Option<Vec<AggregationMethod>>,
    back_window: u32,
    /// What cannot be used, if something was given that cannot.
    failure: Option<Error>,
}

/// One difference between an archive policy that exists and the one that a program expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDifference {
    /// What differs: `back window`, `methods`, `granularity 60.0 s`.
    pub what: String,
    /// How it is in the store.
    pub got: String,
    /// How the program expects it.
    pub expected: String,
}

impl fmt::Display for PolicyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            got,
            expected,
        } = self;
        write!(f, "{what}: got {got}, expected {expected}")
    }
}

impl Policy {
    /// Begins the description of an archive policy.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            definition: Vec::new(),
            methods: None,
            back_window: 0,
            failure: None,
        }
    }

    /// Keeps aggregates of each `granularity` until they are `retention` older than the newest measure.
    pub fn keep<G, R>(self, granularity: G, retention: R) -> Self
    where
        G: TryInto<Timespan>,
        R: TryInto<Timespan>,
        TimeError: From<G::Error> + From<R::Error>,
    {
        let retention = retention.try_into().map_err(TimeError::from);
        self.level(
            granularity.try_into().map_err(TimeError::from),
            Some(retention),
        )
    }

    /// Keeps aggregates of each `granularity` forever.
    pub fn keep_forever<G>(self, granularity: G) -> Self
    where
        G: TryInto<Timespan>,
        TimeError: From<G::Error>,
    {
        self.level(granularity.try_into().map_err(TimeError::from), None)
    }

    /// Sets what is computed of the measures. Without this call it is mean, min, max, sum, std and count.
    pub fn methods<M: IntoMethod>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        let methods: Result<BTreeSet<_>, _> =
            methods.into_iter().map(IntoMethod::into_method).collect();
        match methods {
            Ok(methods) => self.methods = Some(methods.into_iter().collect()),
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// Sets how late measures may arrive: up to so many buckets of the coarsest granularity before that of the newest measure. Zero, the
    /// default, accepts late measures within the newest bucket.
    pub fn back_window(mut self, buckets: u32) -> Self {
        self.back_window = buckets;
        self
    }

    /// Returns the archive policy as the lower levels take it. `default_methods` are those of a policy that names none.
    ///
    /// # Errors
    /// [`Error::Policy`], [`Error::PolicyTime`], [`Error::Method`] for the first part that cannot be used.
    pub fn build(self, default_methods: &[AggregationMethod]) -> Result<ArchivePolicy, Error> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let methods = self.methods.unwrap_or_else(|| default_methods.to_vec());
        let name = self.name.clone();
        ArchivePolicy::new(self.name, self.back_window, self.definition, methods).map_err(
            |source| Error::Policy {
                policy: name,
                source,
            },
        )
    }

    fn level(
        mut self,
        granularity: Result<Timespan, TimeError>,
        retention: Option<Result<Timespan, TimeError>>,
    ) -> Self {
        let number = self.definition.len() + 1;
        let time = |part: String| {
            let policy = self.name.clone();
            move |source| Error::PolicyTime {
                policy,
                part,
                source,
            }
        };
        let definition = granularity
            .map_err(time(format!("granularity number {number}")))
            .and_then(|granularity| {
                let retention = retention.transpose();
                let retention = retention.map_err(time(format!("retention number {number}")))?;
                Definition::new(Some(granularity), None, retention).map_err(|source| {
                    Error::Policy {
                        policy: self.name.clone(),
                        source,
                    }
                })
            });
        match definition {
            Ok(definition) => self.definition.push(definition),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Remembers the first thing that cannot be used.
    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }
}

impl Store {
    /// Creates an archive policy, or checks that the one of that name is the same.
    ///
    /// The retention and the back window of a policy that exists can be changed with
    /// [`Gnocchi::update_archive_policy`](gnocchi_core::Gnocchi::update_archive_policy); its granularities and methods cannot.
    ///
    /// # Errors
    /// [`Error::PolicyDiffers`], which lists every difference; [`Error::Policy`], [`Error::PolicyTime`], [`Error::Method`] for a policy that
    /// cannot exist; [`Error::Store`] when the store fails.
    pub async fn ensure_policy(&self, policy: Policy) -> Result<(), Error> {
        let gnocchi = self.gnocchi()?;
        let expected = policy.build(&gnocchi.settings().default_aggregation_methods)?;
        match gnocchi.create_archive_policy(&expected).await {
            Err(gnocchi_core::Error::Indexer(IndexerError::ArchivePolicyExists { .. })) => {}
            created => return Ok(created?),
        }
        let got = gnocchi.archive_policy(expected.name()).await?;
        let differences = differences(&got, &expected);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::PolicyDiffers {
            policy: expected.name().to_owned(),
            differences,
        })
    }
}

/// Compares two policies; neither the order of granularities nor that of methods counts.
fn differences(got: &ArchivePolicy, expected: &ArchivePolicy) -> Vec<PolicyDifference> {
    let mut differences = Vec::new();
    let (got_levels, expected_levels) = (retentions(got), retentions(expected));
    let granularities: BTreeSet<&Timespan> =
        got_levels.keys().chain(expected_levels.keys()).collect();
    for granularity in granularities {
        let kept = |levels: &BTreeMap<Timespan, Option<Timespan>>| match levels.get(granularity) {
            None => "not kept".to_owned(),
            Some(None) => "kept forever".to_owned(),
            Some(Some(retention)) => format!("kept for {retention} s"),
        };
        differences.push(PolicyDifference {
            what: format!("granularity {granularity} s"),
            got: kept(&got_levels),
            expected: kept(&expected_levels),
        });
    }
    differences.push(PolicyDifference {
        what: "methods".to_owned(),
        got: methods(got),
        expected: methods(expected),
    });
    differences.push(PolicyDifference {
        what: "back window".to_owned(),
        got: got.back_window().to_string(),
        expected: expected.back_window().to_string(),
    });
    differences.retain(|one| one.got != one.expected);
    differences
}

fn retentions(policy: &ArchivePolicy) -> BTreeMap<Timespan, Option<Timespan>> {
    let levels = policy.definition().iter();
    levels
        .map(|level| (level.granularity(), level.timespan()))
        .collect()
}

fn methods(policy: &ArchivePolicy) -> String {
    let methods: BTreeSet<_> = policy.aggregation_methods().iter().copied().collect();
    list(&Vec::from_iter(methods))
}
