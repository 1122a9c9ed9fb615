//! What every handler can reach.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gnocchi_core::Gnocchi;
use gnocchi_core::access::Access;
use gnocchi_core::intake::{Intake, IntakeLimits};
use gnocchi_core::log_limit::LogLimit;
use gnocchi_core::policy::{Caller, Enforcer};

use super::auth::{AccessControl, Authenticator, Logins};
use super::probes::ProcessMetrics;
use super::settings::ApiSettings;
use crate::api::request::body_memory::BodyMemory;

/// How many requests with measures that are not stored are logged at once, and how long it then takes until one more is.
const REJECTIONS_LOGGED_AT_ONCE: u32 = 5;
const REJECTION_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What every handler can reach; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    inner: Arc<Inner>,
    /// The store; that of a query has a budget.
    gnocchi: Gnocchi,
}

struct Inner {
    settings: ApiSettings,
    access: AccessControl,
    logins: Logins,
    metrics: Option<ProcessMetrics>,
    body_memory: BodyMemory,
    /// Limits how often it is logged that measures of a request are not stored.
    rejections_logged: LogLimit,
}

impl ApiState {
    /// Puts the state together: any password is accepted, and the default rules say who may do what. Without `metrics` there is no
    /// `/metrics`.
    #[must_use]
    pub fn new(gnocchi: Gnocchi, settings: ApiSettings, metrics: Option<ProcessMetrics>) -> Self {
        Self::with_access(gnocchi, settings, AccessControl::default(), metrics)
    }

    /// Creates the state with another way to authenticate callers, and other access rules.
    #[must_use]
    pub fn with_access(
        gnocchi: Gnocchi,
        settings: ApiSettings,
        access: AccessControl,
        metrics: Option<ProcessMetrics>,
    ) -> Self {
        let body_memory = BodyMemory::new(settings.body_bytes_max, settings.operation_timeout);
        Self {
            gnocchi,
            inner: Arc::new(Inner {
                access,
                logins: Logins::new(settings.forwarding_proxies()),
                settings,
                metrics,
                body_memory,
                rejections_logged: LogLimit::new(REJECTIONS_LOGGED_AT_ONCE, REJECTION_LOG_INTERVAL),
            }),
        }
    }

    pub(crate) fn rejections_logged(&self) -> &LogLimit {
        &self.inner.rejections_logged
    }

    /// Returns the store.
    #[must_use]
    pub fn gnocchi(&self) -> &Gnocchi {
        &self.gnocchi
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &ApiSettings {
        &self.inner.settings
    }

    /// Returns the rules of who may do what, as they are now.
    #[must_use]
    pub fn enforcer(&self) -> Arc<Enforcer> {
        self.inner.access.policy.current()
    }

    /// Returns the metrics of this process, if they are shown.
    #[must_use]
    pub fn metrics(&self) -> Option<&ProcessMetrics> {
        self.inner.metrics.as_ref()
    }
}

impl ApiState {
    /// Returns the state of a query: all that it asks the store for comes out of one budget.
    pub(crate) fn of_query(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            gnocchi: self.gnocchi.query(),
        }
    }

    /// Returns what authenticates callers.
    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.inner.access.authenticator
    }

    /// Returns what counts logins.
    pub(crate) fn logins(&self) -> &Logins {
        &self.inner.logins
    }

    /// Returns the rights of a caller.
    pub(crate) fn access<'a>(&'a self, caller: &'a Caller) -> Access<'a> {
        let AccessControl { policy, remote, .. } = &self.inner.access;
        Access::new(&self.gnocchi, caller, policy, &**remote)
    }

    /// Returns what stores the series of a caller that come with the names of their resource and metric.
    pub(crate) fn intake<'a>(&'a self, caller: &'a Caller) -> Intake<'a> {
        let limits = IntakeLimits {
            new_metrics_max: self.settings().new_metrics_max,
            timeout: self.settings().operation_timeout,
        };
        Intake::new(self.access(caller), limits)
    }

    /// Returns the memory that bodies share.
    pub(crate) fn body_memory(&self) -> &BodyMemory {
        &self.inner.body_memory
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
