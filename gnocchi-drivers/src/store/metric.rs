//! Metrics by the names of their resource and themselves: found, or created.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gnocchi_core::Gnocchi;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    ArchivePolicyRule, GENERIC, Metric, MetricError, MetricId, NewMetric, NewResource,
    ResourceAddress, ResourceId, ResourceMetric, SeenResource, match_rule,
};

use super::Store;
use super::error::Error;

/// How often missing metrics are created before the call fails because others interfere.
const ATTEMPTS_MAX: usize = 10;

/// A metric of a store, to append to and to read.
///
/// Cheap to clone, and valid for as long as the metric exists, also after the store was closed and opened again. Its text is
/// `resource/name`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MetricHandle {
    id: MetricId,
    resource: Option<Arc<str>>,
    name: Option<Arc<str>>,
}

impl MetricHandle {
    /// Returns the identifier of the metric.
    #[must_use]
    pub fn id(&self) -> MetricId {
        self.id
    }

    /// Returns the name of its resource, if it belongs to one.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// Returns its name, if it has one. A metric of a resource always has.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The handle of a metric that was found in another way. Its resource is shown by id.
impl From<&Metric> for MetricHandle {
    fn from(metric: &Metric) -> Self {
        Self {
            id: metric.id,
            resource: metric.resource_id.map(|id| id.to_string().into()),
            name: metric.name.as_deref().map(Into::into),
        }
    }
}

impl fmt::Display for MetricHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.resource, &self.name) {
            (Some(resource), Some(name)) => write!(f, "{resource}/{name}"),
            (None, Some(name)) => f.write_str(name),
            (_, None) => self.id.fmt(f),
        }
    }
}

impl fmt::Debug for MetricHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetricHandle({self}, {})", self.id)
    }
}

/// A request for one metric; made by [`Store::metric`].
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until `ensure` or `find` is called"]
pub struct MetricRequest<'a>(MetricsRequest<'a>);

/// A request for many metrics; made by [`Store::metrics`].
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until `ensure` or `find` is called"]
pub struct MetricsRequest<'a> {
    store: &'a Store,
    /// Names of resources and metrics.
    names: Vec<(String, String)>,
    policy: Option<String>,
    unit: Option<String>,
}

impl MetricRequest<'_> {
    /// Sets the archive policy. Without one, the first archive policy rule that matches the name of the metric chooses it.
    pub fn policy(self, name: impl Into<String>) -> Self {
        Self(self.0.policy(name))
    }

    /// Sets the unit of the values of a metric that is created, for people: `%`, `B/s`.
    pub fn unit(self, unit: impl Into<String>) -> Self {
        Self(self.0.unit(unit))
    }

    /// Returns the metric, after creating it and its resource where they are missing.
    ///
    /// # Errors
    /// As [`MetricsRequest::ensure`].
    pub async fn ensure(self) -> Result<MetricHandle, Error> {
        let missing = Error::Unsettled {
            attempts: ATTEMPTS_MAX,
        };
        self.0.ensure().await?.pop().ok_or(missing)
    }

    /// Returns the metric, or `None` when there is none of that name.
    ///
    /// # Errors
    /// As [`MetricsRequest::find`].
    pub async fn find(self) -> Result<Option<MetricHandle>, Error> {
        Ok(self.0.find().await?.pop().flatten())
    }
}

impl MetricsRequest<'_> {
    /// Sets the archive policy. Without one, the first archive policy rule that matches the name of each metric chooses it.
    pub fn policy(mut self, name: impl Into<String>) -> Self {
        self.policy = Some(name.into());
        self
    }

    /// Sets the unit of the values of metrics that are created, for people: `%`, `B/s`.
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// Returns the metrics in the order of their names, after creating those that are missing, and their resources.
    ///
    /// All metrics are looked up together, and those that are missing on existing resources are created together; a new resource is
    /// created together with its metrics.
    ///
    /// # Errors
    /// [`Error::MetricPolicyDiffers`] when a metric exists with another archive policy than the one set,
    /// [`Error::ResourceName`], [`Error::Metric`] when a name cannot be used, [`Error::ResourceTaken`] when the resource is that of another
    /// creator, [`Error::Store`] when there is no such archive policy, no rule matches, or the store fails.
    pub async fn ensure(self) -> Result<Vec<MetricHandle>, Error> {
        let lookup = self.lookup()?;
        for _ in 0..ATTEMPTS_MAX {
            let found = lookup.find().await?;
            let missing: Vec<usize> = (0..found.len())
                .filter(|index| found[*index].is_none())
                .collect();
            if missing.is_empty() {
                let found = found.into_iter().flatten();
                let handles = found.enumerate().map(|(index, metric)| {
                    self.require_policy(&lookup, index, &metric)?;
                    Ok(lookup.handle(index, &metric))
                });
                return handles.collect();
            }
            match self.create(&lookup, &missing).await {
                Err(Error::Store(error)) if is_race(&error) => {}
                created => created?,
            }
        }
        Err(Error::Unsettled {
            attempts: ATTEMPTS_MAX,
        })
    }

    /// Returns the metrics in the order of their names; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::ResourceName`] when a name cannot be used, [`Error::Store`] when the store fails.
    pub async fn find(self) -> Result<Vec<Option<MetricHandle>>, Error> {
        let lookup = self.lookup()?;
        let found = lookup.find().await?.into_iter().enumerate();
        Ok(found
            .map(|(index, metric)| Some(lookup.handle(index, &*metric?)))
            .collect())
    }

    fn lookup(&self) -> Result<Lookup, Error> {
        Lookup::new(self.store.gnocchi()?, self.store.creator(), &self.names)
    }

    fn require_policy(&self, lookup: &Lookup, index: usize, metric: &Metric) -> Result<(), Error> {
        let got = metric.archive_policy.name();
        match &self.policy {
            Some(expected) if expected != got => Err(Error::MetricPolicyDiffers {
                metric: lookup.handle(index, metric).to_string(),
                got: got.to_owned(),
                expected: expected.clone(),
            }),
            _ => Ok(()),
        }
    }

    async fn create(&self, lookup: &Lookup, missing: &[usize]) -> Result<(), Error> {
        let gnocchi = &lookup.gnocchi;
        let rules = match self.policy {
            Some(_) => Vec::new(),
            None => gnocchi.archive_policy_rules().await?,
        };
        let mut by_resource: BTreeMap<ResourceId, Vec<usize>> = BTreeMap::new();
        for index in missing {
            let (resource, _) = &lookup.names[*index];
            by_resource.entry(*resource).or_default().push(*index);
        }
        let ids: Vec<ResourceId> = by_resource.keys().copied().collect();
        let resources = gnocchi.resources(GENERIC, &ids).await?;
        let (mut on_existing, mut seen) = (Vec::new(), Vec::new());
        for ((id, indexes), resource) in by_resource.into_iter().zip(resources) {
            let address = &lookup.addresses[indexes[0]];
            let mut metrics = BTreeMap::new();
            for index in indexes {
                let new = self.new_metric(&rules, address, id, &lookup.names[index].1)?;
                // The same name may be given twice.
                metrics.insert(lookup.names[index].1.clone(), new);
            }
            match resource {
                Some(resource) if address.means(&resource) => {
                    on_existing.extend(metrics.into_values());
                    seen.push(SeenResource::of(&resource));
                }
                Some(_) => {
                    return Err(Error::ResourceTaken {
                        name: address.original().to_owned(),
                    });
                }
                None => {
                    let new = new_resource(gnocchi, address, self.store.creator(), metrics);
                    gnocchi.create_resource(&new).await?;
                }
            }
        }
        if !on_existing.is_empty() {
            gnocchi.create_metrics_on(on_existing, &seen).await?;
        }
        Ok(())
    }

    fn new_metric(
        &self,
        rules: &[ArchivePolicyRule],
        address: &ResourceAddress,
        id: ResourceId,
        name: &str,
    ) -> Result<NewMetric, Error> {
        let policy = match &self.policy {
            Some(policy) => policy,
            None => match match_rule(rules, Some(name)) {
                Some(rule) => &rule.archive_policy_name,
                None => {
                    return Err(Error::Store(gnocchi_core::Error::NoArchivePolicyRule {
                        metric_name: Some(name.to_owned()),
                    }));
                }
            },
        };
        let failed = |source: MetricError| Error::Metric {
            resource: address.original().to_owned(),
            name: name.to_owned(),
            source,
        };
        let creator = self.store.creator().map(ToOwned::to_owned);
        let (name, unit) = (Some(name.to_owned()), self.unit.clone());
        NewMetric::new(creator, policy, name, unit, Some(id)).map_err(failed)
    }
}

/// The names of metrics, ready to be looked up.
struct Lookup {
    gnocchi: Gnocchi,
    /// The resource of each metric.
    addresses: Vec<ResourceAddress>,
    names: Vec<(ResourceId, String)>,
}

impl Lookup {
    fn new(
        gnocchi: Gnocchi,
        creator: Option<&str>,
        names: &[(String, String)],
    ) -> Result<Self, Error> {
        let addresses = names.iter().map(|(resource, _)| address(resource, creator));
        let addresses = addresses.collect::<Result<Vec<ResourceAddress>, Error>>()?;
        let pairs = addresses.iter().zip(names);
        let names = pairs.map(|(address, (_, name))| (address.id(), name.clone()));
        Ok(Self {
            gnocchi,
            names: names.collect(),
            addresses,
        })
    }

    async fn find(&self) -> Result<Vec<Option<Arc<Metric>>>, Error> {
        let found = self.gnocchi.named_metrics(&self.names).await?;
        let pairs = self.addresses.iter().zip(found);
        let meant =
            pairs.map(|(address, metric)| metric.filter(|metric| address.can_mean_metric(metric)));
        Ok(meant.collect())
    }

    fn handle(&self, index: usize, metric: &Metric) -> MetricHandle {
        MetricHandle {
            id: metric.id,
            resource: Some(self.addresses[index].original().into()),
            name: metric.name.as_deref().map(Into::into),
        }
    }
}

/// Parses the name of a resource.
fn address(name: &str, creator: Option<&str>) -> Result<ResourceAddress, Error> {
    ResourceAddress::parse(name, creator).map_err(|source| Error::ResourceName {
        name: name.to_owned(),
        source,
    })
}

fn new_resource(
    gnocchi: &Gnocchi,
    address: &ResourceAddress,
    creator: Option<&str>,
    metrics: BTreeMap<String, NewMetric>,
) -> NewResource {
    let metrics = metrics.into_iter();
    NewResource {
        id: address.id(),
        resource_type: GENERIC.to_owned(),
        creator: creator.map(ToOwned::to_owned),
        original_resource_id: address.original().to_owned(),
        started_at: gnocchi.clock().now(),
        ended_at: None,
        user_id: None,
        project_id: None,
        attributes: BTreeMap::new(),
        metrics: metrics
            .map(|(name, metric)| (name, ResourceMetric::New(metric)))
            .collect(),
    }
}

/// Returns whether another task or process created or deleted the same at the same time.
fn is_race(error: &gnocchi_core::Error) -> bool {
    matches!(
        error,
        gnocchi_core::Error::Indexer(
            IndexerError::ResourceExists { .. }
                | IndexerError::NamedMetricExists { .. }
                | IndexerError::NoSuchResource { .. }
                | IndexerError::RevisionChanged { .. }
        )
    )
}

impl Store {
    /// Begins a request for the metric of that name of a resource.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), gnocchi_drivers::Error> {
    /// # let store = gnocchi_drivers::Store::in_memory().await?;
    /// let cpu = store.metric("host", "cpu").policy("low").unit("%").ensure().await?;
    /// assert_eq!(store.metric("host", "cpu").find().await?, Some(cpu));
    /// assert_eq!(store.metric("host", "disk").find().await?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn metric(
        &self,
        resource: impl Into<String>,
        name: impl Into<String>,
    ) -> MetricRequest<'_> {
        MetricRequest(self.metrics([(resource, name)]))
    }

    /// Begins a request for many metrics, each given by the names of its resource and itself.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), gnocchi_drivers::Error> {
    /// # let store = gnocchi_drivers::Store::in_memory().await?;
    /// let names = ["cpu", "memory", "disk"].map(|name| ("host", name));
    /// let metrics = store.metrics(names).policy("low").ensure().await?;
    /// assert_eq!(metrics[1].to_string(), "host/memory");
    /// # Ok(())
    /// # }
    /// ```
    pub fn metrics<R: Into<String>, N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = (R, N)>,
    ) -> MetricsRequest<'_> {
        let names = names.into_iter();
        MetricsRequest {
            store: self,
            names: names
                .map(|(resource, name)| (resource.into(), name.into()))
                .collect(),
            policy: None,
            unit: None,
        }
    }

    /// Deletes metrics with everything that is stored of them. Metrics that do not exist are ignored.
    ///
    /// They are gone for readers at once; the space is freed by background processing.
    ///
    /// # Errors
    /// [`Error::Store`] when the store fails.
    pub async fn delete<'m>(
        &self,
        metrics: impl IntoIterator<Item = &'m MetricHandle>,
    ) -> Result<(), Error> {
        let ids: Vec<MetricId> = metrics.into_iter().map(MetricHandle::id).collect();
        Ok(self.gnocchi()?.delete_metrics(&ids).await?)
    }

    /// Deletes a resource with its history and all its metrics; returns whether there was one.
    ///
    /// # Errors
    /// [`Error::ResourceName`] when the name cannot be used, [`Error::Store`] when the store fails.
    pub async fn delete_resource(&self, name: &str) -> Result<bool, Error> {
        let gnocchi = self.gnocchi()?;
        let address = address(name, self.creator())?;
        for _ in 0..ATTEMPTS_MAX {
            let found = gnocchi.resources(GENERIC, &[address.id()]).await?;
            let mut found = found.into_iter().flatten();
            let Some(resource) = found.find(|resource| address.means(resource)) else {
                return Ok(false);
            };
            let seen = [SeenResource::of(&resource)];
            if !gnocchi.delete_seen_resources(&seen).await?.is_empty() {
                return Ok(true);
            }
        }
        Err(Error::Unsettled {
            attempts: ATTEMPTS_MAX,
        })
    }
}
