//! [`Gnocchi`]: the store, as servers and embedding programs use it.
//!
//! This file constructs the store; each file beside it has the calls for one kind of object. Aggregates are read in
//! [`query`](crate::query), measures are accepted in `intake`.

mod archive_policies;
mod background;
mod metrics;
mod resources;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carbonara::{AggregationMethod, Timespan};

use crate::budget::{self, Budget, BudgetError, Pool, QueryLimits, QueryUsage, Reserved};
use crate::clock::Clock;
use crate::directory::MetricDirectory;
use crate::driver::{Coordinator, IncomingDriver, Indexer, StorageDriver};
use crate::error::{Error, IndexerError};
use crate::intake::AheadLog;
use crate::model::{ArchivePolicy, ArchivePolicyRule, MetricId, default_aggregation_methods};
use crate::processing::Processor;

pub(crate) use archive_policies::PolicyChoice;

/// The four back-ends and the clock of a store.
#[derive(Debug, Clone)]
pub struct Drivers {
    /// Keeps everything but measures.
    pub indexer: Arc<dyn Indexer>,
    /// Keeps measures until they are folded.
    pub incoming: Arc<dyn IncomingDriver>,
    /// Keeps aggregates and raw windows.
    pub storage: Arc<dyn StorageDriver>,
    /// Gives out leases.
    pub coordinator: Arc<dyn Coordinator>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// How a store behaves; every field has a default that suits one process on its own.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Measures further ahead of the clock than this are rejected; `None` takes any.
    pub max_future: Option<Timespan>,
    /// The methods of an archive policy that names none.
    pub default_aggregation_methods: Vec<AggregationMethod>,
    /// How many sacks are folded at the same time.
    pub workers: usize,
    /// How often all owned sacks are looked at, notified or not.
    pub processing_delay: Duration,
    /// How often the janitor comes.
    pub cleanup_delay: Duration,
    /// How many deleted metrics the janitor expunges at a time.
    pub cleanup_batch_size: usize,
    /// How often the backlog is logged; `None` never.
    pub reporting_delay: Option<Duration>,
    /// How much memory the open windows of metrics may take, in bytes. A metric that doesn't fit is read from storage when
    /// measures for it arrive.
    pub window_cache_bytes: usize,
    /// How much a change of a resource type may write into its resources, in bytes: no other change of the indexer is made meanwhile.
    pub type_change_bytes_max: u64,
    /// What queries may take.
    pub query_limits: QueryLimits,
    /// The name of this process among its peers; unique.
    pub member_name: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_future: None,
            default_aggregation_methods: default_aggregation_methods(),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            processing_delay: Duration::from_mins(1),
            cleanup_delay: Duration::from_mins(5),
            cleanup_batch_size: 10_000,
            reporting_delay: Some(Duration::from_mins(2)),
            window_cache_bytes: 256 << 20,
            type_change_bytes_max: 64 << 20,
            query_limits: QueryLimits::default(),
            member_name: MetricId::random().to_string(),
        }
    }
}

/// Whether the archive policies of a fresh store are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultPolicies {
    /// `bool`, `low`, `medium`, `high` and a rule that gives `low` to every metric, unless some policy or rule exists.
    #[default]
    Create,
    /// None.
    Skip,
}

/// A metric store: the drivers, and the rules of the domain between them.
///
/// Cheap to clone; all clones are the same store. Everything can be called from any task at any time.
///
/// # Examples
/// See the front page of this crate.
#[derive(Clone)]
pub struct Gnocchi {
    pub(crate) inner: Arc<Inner>,
    /// What pays for the queries of this clone; `None` when each has its own.
    budget: Option<Budget>,
}

pub(crate) struct Inner {
    pub(crate) drivers: Drivers,
    pub(crate) settings: Settings,
    pub(crate) directory: Arc<MetricDirectory>,
    pub(crate) processor: Arc<Processor>,
    pub(crate) ahead_log: AheadLog,
    queries: Arc<Pool>,
}

impl fmt::Debug for Gnocchi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gnocchi")
            .field("drivers", &self.inner.drivers)
            .finish_non_exhaustive()
    }
}

impl Gnocchi {
    /// Puts a store together; does no input or output.
    #[must_use]
    pub fn new(drivers: Drivers, settings: Settings) -> Self {
        let directory = Arc::new(MetricDirectory::new(Arc::clone(&drivers.indexer)));
        let processor = Arc::new(Processor::new(&drivers, Arc::clone(&directory), &settings));
        let queries = Arc::new(Pool::new(settings.query_limits));
        Self {
            budget: None,
            inner: Arc::new(Inner {
                queries,
                drivers,
                settings,
                directory,
                processor,
                ahead_log: AheadLog::default(),
            }),
        }
    }

    /// Creates or migrates what the drivers need, and the default archive policies if asked; may be repeated.
    ///
    /// # Errors
    /// [`Error`] when a driver fails.
    pub async fn upgrade(&self, defaults: DefaultPolicies) -> Result<(), Error> {
        let drivers = self.drivers();
        drivers.indexer.upgrade().await?;
        drivers.storage.upgrade().await?;
        drivers.incoming.upgrade().await?;
        if defaults == DefaultPolicies::Create {
            self.create_default_policies().await?;
        }
        Ok(())
    }

    async fn create_default_policies(&self) -> Result<(), Error> {
        let indexer = &self.drivers().indexer;
        if !indexer.archive_policies().await?.is_empty()
            || !indexer.archive_policy_rules().await?.is_empty()
        {
            return Ok(());
        }
        for policy in ArchivePolicy::defaults(&self.settings().default_aggregation_methods) {
            match indexer.create_archive_policy(&policy).await {
                // Another process may be upgrading at the same time.
                Ok(()) | Err(IndexerError::ArchivePolicyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let rule = ArchivePolicyRule {
            name: "default".into(),
            archive_policy_name: "low".into(),
            metric_pattern: "*".into(),
        };
        match indexer.create_archive_policy_rule(&rule).await {
            Ok(()) | Err(IndexerError::ArchivePolicyRuleExists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the drivers.
    #[must_use]
    pub fn drivers(&self) -> &Drivers {
        &self.inner.drivers
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Returns the same store with a fresh budget that all calls to it share: for queries that belong together.
    #[must_use]
    pub fn query(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            budget: Some(Budget::new(&self.inner.queries)),
        }
    }

    /// Returns the budget that all calls share, if there is one.
    #[must_use]
    pub fn budget(&self) -> Option<&Budget> {
        self.budget.as_ref()
    }

    /// Returns what queries take now.
    #[must_use]
    pub fn query_usage(&self) -> QueryUsage {
        self.inner.queries.usage()
    }

    /// Takes memory of queries for a response that is about to be made, until it is sent.
    ///
    /// # Errors
    /// [`BudgetError::TooMuchMemory`], [`BudgetError::MemoryHeld`].
    pub fn reserve(&self, bytes: usize) -> Result<Reserved, BudgetError> {
        Reserved::take(&self.inner.queries, bytes)
    }

    /// Takes memory for a short response, for which there is room beyond the limit.
    ///
    /// # Errors
    /// [`BudgetError::MemoryHeld`] when that is taken as well.
    pub fn reserve_little(&self, bytes: usize) -> Result<Reserved, BudgetError> {
        Reserved::take_little(&self.inner.queries, bytes)
    }

    /// Checks that a change may be made whose report will take memory, see [`reserve_anyway`](Self::reserve_anyway).
    ///
    /// # Errors
    /// [`BudgetError::MemoryHeld`] when reports that are not sent yet take too much.
    pub fn admit_report(&self) -> Result<(), BudgetError> {
        budget::admit_report(&self.inner.queries)
    }

    /// Counts memory of a response that cannot be refused any more, because what it reports has happened.
    #[must_use]
    pub fn reserve_anyway(&self, bytes: usize) -> Reserved {
        Reserved::take_anyway(&self.inner.queries, bytes)
    }

    /// Returns the budget of a query that begins: that of all calls, or its own.
    pub(crate) fn begin(&self) -> Budget {
        let own = || Budget::new(&self.inner.queries);
        self.budget.clone().unwrap_or_else(own)
    }

    /// Returns the clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.drivers.clock
    }

    pub(crate) fn indexer(&self) -> &dyn Indexer {
        &*self.inner.drivers.indexer
    }
}
