//! The facade: one object that an embedding program or a server holds.

mod matching;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carbonara::{AggregationMethod, Timespan};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::directory::MetricDirectory;
use crate::driver::{
    Backlog, BacklogDetails, Coordinator, IncomingDriver, Indexer, MetricFilter, ResourceQuery,
    StorageDriver,
};
use crate::error::{Error, IndexerError};
use crate::model::{
    ArchivePolicy, ArchivePolicyRule, Change, Definition, Metric, MetricId, NewMetric, NewResource,
    Page, Resource, ResourceId, ResourceType, ResourceUpdate, default_aggregation_methods,
    match_rule,
};
use crate::processing::Processor;

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
    /// Tells the time.
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
            member_name: MetricId::random().to_string(),
        }
    }
}

/// Whether the archive policies of a fresh store are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultPolicies {
    /// `bool`, `low`, `medium`, `high` and a rule that gives `low` to every metric, unless some policy or rule exists.
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
}

pub(crate) struct Inner {
    pub(crate) drivers: Drivers,
    pub(crate) settings: Settings,
    pub(crate) directory: Arc<MetricDirectory>,
    pub(crate) processor: Processor,
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
        let processor = Processor::new(&drivers, Arc::clone(&directory), &settings);
        Self {
            inner: Arc::new(Inner {
                drivers,
                settings,
                directory,
                processor,
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

    /// Returns the clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.drivers.clock
    }

    pub(crate) fn indexer(&self) -> &dyn Indexer {
        &*self.inner.drivers.indexer
    }
}

/// Archive policies and their rules.
impl Gnocchi {
    /// Stores a new archive policy.
    ///
    /// # Errors
    /// [`IndexerError::ArchivePolicyExists`] when the name is taken.
    pub async fn create_archive_policy(&self, policy: &ArchivePolicy) -> Result<(), Error> {
        Ok(self.indexer().create_archive_policy(policy).await?)
    }

    /// Returns an archive policy.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicy`] when there is none of that name.
    pub async fn archive_policy(&self, name: &str) -> Result<ArchivePolicy, Error> {
        Ok(self.indexer().archive_policy(name).await?)
    }

    /// Returns every archive policy, by name.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn archive_policies(&self) -> Result<Vec<ArchivePolicy>, Error> {
        Ok(self.indexer().archive_policies().await?)
    }

    /// Changes how long an archive policy keeps its granularities and, when given, its back window.
    ///
    /// What is already gone doesn't come back; what is now too much is hidden at once and removed as measures arrive.
    ///
    /// # Errors
    /// [`Error::ArchivePolicyChange`] when the granularities differ, [`IndexerError::NoSuchArchivePolicy`].
    pub async fn update_archive_policy(
        &self,
        name: &str,
        definition: Vec<Definition>,
        back_window: Option<u32>,
    ) -> Result<ArchivePolicy, Error> {
        let policy = self.archive_policy(name).await?;
        let changed = policy.changed(definition, back_window).map_err(|source| {
            Error::ArchivePolicyChange {
                name: name.to_owned(),
                source,
            }
        })?;
        self.indexer().update_archive_policy(&changed).await?;
        self.inner.directory.clear();
        Ok(changed)
    }

    /// Removes an archive policy.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicy`], [`IndexerError::ArchivePolicyInUse`].
    pub async fn delete_archive_policy(&self, name: &str) -> Result<(), Error> {
        Ok(self.indexer().delete_archive_policy(name).await?)
    }

    /// Stores a new rule.
    ///
    /// # Errors
    /// [`IndexerError::ArchivePolicyRuleExists`], [`IndexerError::NoSuchArchivePolicy`].
    pub async fn create_archive_policy_rule(&self, rule: &ArchivePolicyRule) -> Result<(), Error> {
        Ok(self.indexer().create_archive_policy_rule(rule).await?)
    }

    /// Returns a rule.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicyRule`].
    pub async fn archive_policy_rule(&self, name: &str) -> Result<ArchivePolicyRule, Error> {
        Ok(self.indexer().archive_policy_rule(name).await?)
    }

    /// Returns every rule in the order in which they are tried.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn archive_policy_rules(&self) -> Result<Vec<ArchivePolicyRule>, Error> {
        Ok(self.indexer().archive_policy_rules().await?)
    }

    /// Gives a rule another name.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicyRule`], [`IndexerError::ArchivePolicyRuleExists`].
    pub async fn rename_archive_policy_rule(
        &self,
        name: &str,
        new_name: &str,
    ) -> Result<ArchivePolicyRule, Error> {
        Ok(self
            .indexer()
            .rename_archive_policy_rule(name, new_name)
            .await?)
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicyRule`].
    pub async fn delete_archive_policy_rule(&self, name: &str) -> Result<(), Error> {
        Ok(self.indexer().delete_archive_policy_rule(name).await?)
    }

    /// Returns the name of the archive policy of a new metric: the one given, else that of the first matching rule.
    ///
    /// # Errors
    /// [`Error::NoArchivePolicyRule`] when none is given and no rule matches.
    pub async fn choose_archive_policy(
        &self,
        given: Option<&str>,
        metric_name: Option<&str>,
    ) -> Result<String, Error> {
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        let rules = self.archive_policy_rules().await?;
        match match_rule(&rules, metric_name) {
            Some(rule) => Ok(rule.archive_policy_name.clone()),
            None => Err(Error::NoArchivePolicyRule {
                metric_name: metric_name.map(ToOwned::to_owned),
            }),
        }
    }
}

/// Metrics.
impl Gnocchi {
    /// Creates metrics, all or none.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicy`], [`IndexerError::NoSuchResource`], [`IndexerError::NamedMetricExists`].
    pub async fn create_metrics(&self, metrics: Vec<NewMetric>) -> Result<Vec<Arc<Metric>>, Error> {
        let ticket = self.inner.directory.ticket();
        let created = self.indexer().create_metrics(&metrics).await?;
        Ok(created
            .into_iter()
            .map(|metric| self.inner.directory.remember(metric, ticket))
            .collect())
    }

    /// Returns an active metric.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchMetric`] when there is none with this id.
    pub async fn metric(&self, id: MetricId) -> Result<Arc<Metric>, Error> {
        let found = self.metrics(&[id]).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .ok_or(Error::Indexer(IndexerError::NoSuchMetric { id }))
    }

    /// Returns the active metrics with these ids; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn metrics(&self, ids: &[MetricId]) -> Result<Vec<Option<Arc<Metric>>>, Error> {
        self.inner.directory.metrics(ids).await
    }

    /// Returns the active metrics with these names on these resources; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn named_metrics(
        &self,
        names: &[(ResourceId, String)],
    ) -> Result<Vec<Option<Arc<Metric>>>, Error> {
        let found = self.indexer().named_metrics(names).await?;
        Ok(found
            .into_iter()
            .map(|metric| metric.map(Arc::new))
            .collect())
    }

    /// Lists metrics.
    ///
    /// # Errors
    /// [`IndexerError::InvalidMarker`], [`IndexerError::InvalidSortKey`].
    pub async fn list_metrics(
        &self,
        filter: &MetricFilter,
        page: &Page,
    ) -> Result<Vec<Metric>, Error> {
        Ok(self.indexer().list_metrics(filter, page).await?)
    }

    /// Deletes metrics: they are gone for readers at once, their data goes soon after. Absent metrics are fine.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn delete_metrics(&self, ids: &[MetricId]) -> Result<(), Error> {
        self.indexer().delete_metrics(ids).await?;
        self.inner.directory.forget(ids);
        self.inner.processor.notice_deletion();
        Ok(())
    }
}

/// Resources and their types.
impl Gnocchi {
    /// Creates a resource with its metrics, all or nothing.
    ///
    /// # Errors
    /// [`IndexerError::ResourceExists`], [`IndexerError::NoSuchResourceType`], [`IndexerError::NoSuchMetric`],
    /// [`IndexerError::NoSuchArchivePolicy`], [`IndexerError::ResourceEndsBeforeStart`].
    pub async fn create_resource(&self, resource: &NewResource) -> Result<Resource, Error> {
        let created = self
            .indexer()
            .create_resource(resource, self.clock().now())
            .await?;
        // An attached metric has another name and resource now.
        self.forget_metrics_of(&created);
        Ok(created)
    }

    /// Returns a resource of a type; the generic type finds resources of every type.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResource`] when there is none.
    pub async fn resource(&self, resource_type: &str, id: ResourceId) -> Result<Resource, Error> {
        let found = self.resources(resource_type, &[id]).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .ok_or(Error::Indexer(IndexerError::NoSuchResource { id }))
    }

    /// Returns resources of a type; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn resources(
        &self,
        resource_type: &str,
        ids: &[ResourceId],
    ) -> Result<Vec<Option<Resource>>, Error> {
        Ok(self.indexer().resources(resource_type, ids).await?)
    }

    /// Lists resources.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`], [`IndexerError::InvalidMarker`], [`IndexerError::InvalidSortKey`].
    pub async fn list_resources(&self, query: &ResourceQuery) -> Result<Vec<Resource>, Error> {
        Ok(self.indexer().list_resources(query).await?)
    }

    /// Changes a resource, all or nothing.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResource`], [`IndexerError::NoSuchMetric`], [`IndexerError::NamedMetricExists`],
    /// [`IndexerError::NoSuchArchivePolicy`], [`IndexerError::ResourceEndsBeforeStart`].
    pub async fn update_resource(
        &self,
        resource_type: &str,
        id: ResourceId,
        update: &ResourceUpdate,
    ) -> Result<Resource, Error> {
        let updated = self
            .indexer()
            .update_resource(resource_type, id, update, self.clock().now())
            .await?;
        if update.metrics != Change::Keep {
            // Detached metrics are not listed any more, so which ones changed is not known here.
            self.inner.directory.clear();
        } else if !update.added_metrics.is_empty() {
            self.forget_metrics_of(&updated);
        }
        Ok(updated)
    }

    /// Deletes resources with their history and their metrics; returns how many there were.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn delete_resources(&self, ids: &[ResourceId]) -> Result<usize, Error> {
        let deleted = self.indexer().delete_resources(ids).await?;
        self.inner.directory.clear();
        self.inner.processor.notice_deletion();
        Ok(deleted)
    }

    /// Stores a new resource type.
    ///
    /// # Errors
    /// [`IndexerError::ResourceTypeExists`].
    pub async fn create_resource_type(&self, resource_type: &ResourceType) -> Result<(), Error> {
        Ok(self.indexer().create_resource_type(resource_type).await?)
    }

    /// Returns a resource type.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`].
    pub async fn resource_type(&self, name: &str) -> Result<ResourceType, Error> {
        Ok(self.indexer().resource_type(name).await?)
    }

    /// Returns every resource type, by name.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn resource_types(&self) -> Result<Vec<ResourceType>, Error> {
        Ok(self.indexer().resource_types().await?)
    }

    /// Removes a resource type.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchResourceType`], [`IndexerError::ResourceTypeInUse`].
    pub async fn delete_resource_type(&self, name: &str) -> Result<(), Error> {
        Ok(self.indexer().delete_resource_type(name).await?)
    }

    fn forget_metrics_of(&self, resource: &Resource) {
        let ids: Vec<MetricId> = resource.metrics.values().copied().collect();
        self.inner.directory.forget(&ids);
    }
}

/// What waits, and who works on it.
impl Gnocchi {
    /// Reports the measures that wait to be folded.
    ///
    /// # Errors
    /// [`Error::Incoming`] when the driver fails.
    pub async fn backlog(&self, details: BacklogDetails) -> Result<Backlog, Error> {
        Ok(self.drivers().incoming.backlog(details).await?)
    }

    /// Returns the processing workers of all processes with their counters; `None` when there is nobody, or the coordinator
    /// keeps no groups.
    ///
    /// # Errors
    /// [`Error::Coordination`] when the coordinator fails.
    pub async fn processing_status(
        &self,
    ) -> Result<Option<Vec<(String, BTreeMap<String, f64>)>>, Error> {
        self.inner.processor.status().await
    }

    /// Folds what is pending in the sacks that no other process works on, each until nothing is left; it has no end while others
    /// append faster. A server calls [`run`](Self::run) instead.
    ///
    /// # Errors
    /// [`Error`] when a driver fails; the measures stay pending.
    pub async fn process(&self) -> Result<(), Error> {
        self.inner.processor.drain().await
    }

    /// Removes the data of deleted metrics now; returns how many metrics that were.
    ///
    /// # Errors
    /// [`Error`] when a driver fails; what is left is removed next time.
    pub async fn expunge(&self) -> Result<usize, Error> {
        self.inner
            .processor
            .expunge(self.indexer(), self.settings().cleanup_batch_size)
            .await
    }

    /// Tells the monitoring how much waits and for how long.
    ///
    /// # Errors
    /// [`Error::Incoming`] when the driver fails.
    pub async fn observe_backlog(&self) -> Result<(), Error> {
        self.inner.processor.observe_backlog().await
    }

    /// Folds measures as they arrive and cleans up, until `shutdown`; then finishes what is in hand and returns.
    ///
    /// # Errors
    /// [`Error::Coordination`] when the group of workers cannot be joined. Later failures are logged and tried again.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        let settings = self.settings();
        let processor = &self.inner.processor;
        // The janitor ends with the workers, also when these fail.
        let stop = shutdown.child_token();
        let janitor = processor.run_janitor(
            self.indexer(),
            settings.cleanup_delay,
            settings.cleanup_batch_size,
            &stop,
        );
        let workers = async {
            let result = processor.run(stop.clone()).await;
            stop.cancel();
            result
        };
        let (result, ()) = futures::future::join(workers, janitor).await;
        result
    }
}
