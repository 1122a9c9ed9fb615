//! What every handler can reach.

use std::fmt;
use std::sync::Arc;

use gnocchi_core::Gnocchi;
use gnocchi_core::policy::Enforcer;
use metrics_exporter_prometheus::PrometheusHandle;

use super::auth::{AccessControl, Authenticator, Logins, RemoteChecker};
use super::body_memory::BodyMemory;
use super::settings::ApiSettings;

/// What every handler can reach; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    inner: Arc<Inner>,
}

struct Inner {
    gnocchi: Gnocchi,
    settings: ApiSettings,
    access: AccessControl,
    logins: Logins,
    prometheus: Option<PrometheusHandle>,
    body_memory: BodyMemory,
}

impl ApiState {
    /// Puts the state together: names are believed without passwords, and the default rules say who may do what. Without `prometheus` there is no `/metrics`.
    #[must_use]
    pub fn new(
        gnocchi: Gnocchi,
        settings: ApiSettings,
        prometheus: Option<PrometheusHandle>,
    ) -> Self {
        Self::with_access(gnocchi, settings, AccessControl::default(), prometheus)
    }

    /// Puts the state together with other ways to tell callers apart, and other rules of who may do what.
    #[must_use]
    pub fn with_access(
        gnocchi: Gnocchi,
        settings: ApiSettings,
        access: AccessControl,
        prometheus: Option<PrometheusHandle>,
    ) -> Self {
        let body_memory = BodyMemory::new(settings.body_bytes_max, settings.operation_timeout);
        Self {
            inner: Arc::new(Inner {
                gnocchi,
                settings,
                access,
                logins: Logins::default(),
                prometheus,
                body_memory,
            }),
        }
    }

    /// Returns the store.
    #[must_use]
    pub fn gnocchi(&self) -> &Gnocchi {
        &self.inner.gnocchi
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

    /// Returns what renders the measurements of this process, if they are collected.
    #[must_use]
    pub fn prometheus(&self) -> Option<&PrometheusHandle> {
        self.inner.prometheus.as_ref()
    }
}

impl ApiState {
    /// Returns what tells callers apart.
    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.inner.access.authenticator
    }

    /// Returns what counts logins.
    pub(crate) fn logins(&self) -> &Logins {
        &self.inner.logins
    }

    /// Returns what asks the services that rules name.
    pub(crate) fn remote_checker(&self) -> &dyn RemoteChecker {
        &*self.inner.access.remote
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
