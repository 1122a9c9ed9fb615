//! The same store for programs that are not asynchronous.
//!
//! A [`Store`] of this module runs a small runtime of its own, and every call waits until it is done. A call on a thread that serves
//! another runtime, where waiting would stop its tasks, returns [`RuntimeError::Nested`].
//!
//! # Examples
//! ```
//! use gnocchi_drivers::prelude::{HOUR, MINUTE, Now, Timestamp};
//! use gnocchi_drivers::{Store, blocking};
//!
//! # fn main() -> Result<(), gnocchi_drivers::Error> {
//! # let directory = tempfile::tempdir().expect("a directory for temporary files");
//! # let path = directory.path();
//! let store = blocking::Store::open(Store::builder(path))?;
//! let cpu = store.metric("host", "cpu").policy("medium").ensure()?;
//! let report = store.append([(&cpu, Timestamp::now(), 0.4)])?;
//! assert!(report.is_complete(), "{report}");
//! let rows = store.read([&cpu]).methods(["mean"]).every(MINUTE).last(HOUR).send()?;
//! assert_eq!(rows.len(), 1);
//! store.close()?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::ops::RangeBounds;
use std::panic::{AssertUnwindSafe, catch_unwind};

use carbonara::{TimeError, Timespan, Timestamp};
use gnocchi_core::error::{BackendError, BackendErrorKind, CoordinationError};
use tokio::runtime::{Builder, Handle, Runtime};

use super::{
    AppendReport, Error, IntoMeasures, IntoMethod, MetricHandle, Policy, Rows, RuntimeError,
};

/// How many threads serve the runtime of a store: one folds while another one serves calls.
const THREADS: usize = 2;

/// A metric store in this process, for programs that are not asynchronous. See the page of this module.
pub struct Store {
    store: super::Store,
    /// `None` only while this is dropped.
    runtime: Option<Runtime>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

/// A request for one metric; made by [`Store::metric`].
#[derive(Debug)]
#[must_use = "a request does nothing until `ensure` or `find` is called"]
pub struct MetricRequest<'a> {
    store: &'a Store,
    request: super::MetricRequest<'a>,
}

/// A request for many metrics; made by [`Store::metrics`].
#[derive(Debug)]
#[must_use = "a request does nothing until `ensure` or `find` is called"]
pub struct MetricsRequest<'a> {
    store: &'a Store,
    request: super::MetricsRequest<'a>,
}

/// A request for aggregates; made by [`Store::read`].
#[derive(Debug)]
#[must_use = "a request does nothing until `send` is called"]
pub struct ReadRequest<'a> {
    store: &'a Store,
    request: super::ReadRequest,
}

impl Store {
    /// Opens the store of a directory.
    ///
    /// # Errors
    /// As [`StoreBuilder::open`](super::StoreBuilder::open); [`Error::Runtime`] on a thread that serves a runtime.
    #[cfg(all(feature = "embedded", feature = "sqlite"))]
    pub fn open(builder: super::StoreBuilder) -> Result<Self, Error> {
        Self::run(builder.open())
    }

    /// Opens a store that is kept in memory; see [`Store::in_memory`](super::Store::in_memory).
    ///
    /// # Errors
    /// [`Error::Runtime`] on a thread that serves a runtime.
    pub fn in_memory() -> Result<Self, Error> {
        Self::run(super::Store::in_memory())
    }

    fn run(opening: impl Future<Output = Result<super::Store, Error>>) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("gnocchi")
            .enable_all()
            .build()
            .map_err(|source| {
                let operation = "start the threads of the store";
                let kind = BackendErrorKind::Unavailable;
                let error = BackendError::new("runtime", operation, kind).with_source(source);
                Error::Store(CoordinationError::from(error).into())
            })?;
        match wait(&runtime, opening).and_then(|opened| opened) {
            Ok(store) => Ok(Self {
                store,
                runtime: Some(runtime),
            }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Waits for any call of the [asynchronous store](super::Store): for what this interface does not have.
    ///
    /// # Errors
    /// [`Error::Runtime`] on a thread that serves a runtime, else those of the call.
    pub fn wait<'s, T, F>(&'s self, call: impl FnOnce(&'s super::Store) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Some(runtime) = &self.runtime else {
            return Err(Error::Closed);
        };
        wait(runtime, async { call(&self.store).await })?
    }

    /// Creates an archive policy, or checks that the one of that name is the same.
    ///
    /// # Errors
    /// As [`Store::ensure_policy`](super::Store::ensure_policy).
    pub fn ensure_policy(&self, policy: Policy) -> Result<(), Error> {
        self.wait(|store| store.ensure_policy(policy))
    }

    /// Begins a request for the metric of that name of a resource.
    pub fn metric(
        &self,
        resource: impl Into<String>,
        name: impl Into<String>,
    ) -> MetricRequest<'_> {
        MetricRequest {
            store: self,
            request: self.store.metric(resource, name),
        }
    }

    /// Begins a request for many metrics, each given by the names of its resource and itself.
    pub fn metrics<R: Into<String>, N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = (R, N)>,
    ) -> MetricsRequest<'_> {
        MetricsRequest {
            store: self,
            request: self.store.metrics(names),
        }
    }

    /// Appends measures; returns when they are durable.
    ///
    /// # Errors
    /// As [`Store::append`](super::Store::append).
    pub fn append<P: IntoMeasures>(
        &self,
        points: impl IntoIterator<Item = P>,
    ) -> Result<AppendReport, Error> {
        self.wait(|store| store.append(points))
    }

    /// Begins a request for aggregates of metrics.
    pub fn read<'m>(&self, metrics: impl IntoIterator<Item = &'m MetricHandle>) -> ReadRequest<'_> {
        let _inside = self.runtime.as_ref().map(Runtime::enter);
        ReadRequest {
            store: self,
            request: self.store.read(metrics),
        }
    }

    /// Deletes metrics with everything that is stored of them. Metrics that do not exist are ignored.
    ///
    /// # Errors
    /// [`Error::Store`] when the store fails.
    pub fn delete<'m>(
        &self,
        metrics: impl IntoIterator<Item = &'m MetricHandle>,
    ) -> Result<(), Error> {
        self.wait(|store| store.delete(metrics))
    }

    /// Deletes a resource with its history and all its metrics; returns whether there was one.
    ///
    /// # Errors
    /// As [`Store::delete_resource`](super::Store::delete_resource).
    pub fn delete_resource(&self, name: &str) -> Result<bool, Error> {
        self.wait(|store| store.delete_resource(name))
    }

    /// Closes the store and releases its directory; see [`Store::close`](super::Store::close).
    ///
    /// # Errors
    /// As [`Store::close`](super::Store::close).
    pub fn close(self) -> Result<(), Error> {
        self.wait(super::Store::close)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A runtime that is merely dropped waits for its threads, and panics where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a future to its end on a runtime.
fn wait<T>(runtime: &Runtime, future: impl Future<Output = T>) -> Result<T, Error> {
    // Threads for blocking work know a runtime as well, and may wait: only trying tells them from those that serve tasks.
    if Handle::try_current().is_ok() {
        let tried = catch_unwind(AssertUnwindSafe(|| runtime.block_on(async {})));
        tried.map_err(|_| RuntimeError::Nested)?;
    }
    Ok(runtime.block_on(future))
}

impl MetricRequest<'_> {
    /// Sets the archive policy. Without one, the first archive policy rule that matches the name of the metric chooses it.
    pub fn policy(self, name: impl Into<String>) -> Self {
        let request = self.request.policy(name);
        Self { request, ..self }
    }

    /// Sets the unit of the values of a metric that is created, for people.
    pub fn unit(self, unit: impl Into<String>) -> Self {
        let request = self.request.unit(unit);
        Self { request, ..self }
    }

    /// Returns the metric, after creating it and its resource where they are missing.
    ///
    /// # Errors
    /// As [`MetricsRequest::ensure`](super::MetricsRequest::ensure).
    pub fn ensure(self) -> Result<MetricHandle, Error> {
        self.store.wait(|_| self.request.ensure())
    }

    /// Returns the metric, or `None` when there is none of that name.
    ///
    /// # Errors
    /// As [`MetricsRequest::find`](super::MetricsRequest::find).
    pub fn find(self) -> Result<Option<MetricHandle>, Error> {
        self.store.wait(|_| self.request.find())
    }
}

impl MetricsRequest<'_> {
    /// Sets the archive policy. Without one, the first archive policy rule that matches the name of each metric chooses it.
    pub fn policy(self, name: impl Into<String>) -> Self {
        let request = self.request.policy(name);
        Self { request, ..self }
    }

    /// Sets the unit of the values of metrics that are created, for people.
    pub fn unit(self, unit: impl Into<String>) -> Self {
        let request = self.request.unit(unit);
        Self { request, ..self }
    }

    /// Returns the metrics in the order of their names, after creating those that are missing, and their resources.
    ///
    /// # Errors
    /// As [`MetricsRequest::ensure`](super::MetricsRequest::ensure).
    pub fn ensure(self) -> Result<Vec<MetricHandle>, Error> {
        self.store.wait(|_| self.request.ensure())
    }

    /// Returns the metrics in the order of their names; `None` where there is none.
    ///
    /// # Errors
    /// As [`MetricsRequest::find`](super::MetricsRequest::find).
    pub fn find(self) -> Result<Vec<Option<MetricHandle>>, Error> {
        self.store.wait(|_| self.request.find())
    }
}

impl ReadRequest<'_> {
    /// Sets which aggregates are read; all that the archive policy keeps by default.
    pub fn methods<M: IntoMethod>(self, methods: impl IntoIterator<Item = M>) -> Self {
        let request = self.request.methods(methods);
        Self { request, ..self }
    }

    /// Sets the granularity: how much time each row covers.
    pub fn every<G>(self, granularity: G) -> Self
    where
        G: TryInto<Timespan>,
        TimeError: From<G::Error>,
    {
        let request = self.request.every(granularity);
        Self { request, ..self }
    }

    /// Reads from that long ago until now.
    pub fn last<D>(self, duration: D) -> Self
    where
        D: TryInto<Timespan>,
        TimeError: From<D::Error>,
    {
        let request = self.request.last(duration);
        Self { request, ..self }
    }

    /// Reads a range of time: `start..stop`, `start..` or `..stop`.
    pub fn range(self, range: impl RangeBounds<Timestamp>) -> Self {
        let request = self.request.range(range);
        Self { request, ..self }
    }

    /// Reads the aggregates.
    ///
    /// # Errors
    /// As [`ReadRequest::send`](super::ReadRequest::send).
    pub fn send(self) -> Result<Rows, Error> {
        self.store.wait(|_| self.request.send())
    }
}
