//! Routes, and the list of their paths beside the router that answers them.

use axum::Router;
use axum::routing::{MethodRouter, any};
use http::StatusCode;

use super::state::ApiState;
use crate::api::response::error::ApiError;

/// A router that is being put together, and what stands in it.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<ApiState>,
    paths: Vec<&'static str>,
}

impl Routes {
    /// Starts without a route.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a route that doesn't care about a slash at the end.
    pub(crate) fn add(self, path: &'static str, methods: MethodRouter<ApiState>) -> Self {
        let mut routes = self.route(path, methods.clone());
        routes.router = routes.router.route(&format!("{path}/"), methods);
        routes
    }

    /// Adds a route that is exactly this.
    pub(crate) fn route(mut self, path: &'static str, methods: MethodRouter<ApiState>) -> Self {
        self.paths.push(path);
        self.router = self.router.route(path, methods);
        self
    }

    /// Adds a path that only says that nothing is there; it is not listed.
    pub(crate) fn refuse(mut self, path: &'static str, status: StatusCode) -> Self {
        let refused = any(async move || ApiError::empty(status));
        self.router = self.router.route(path, refused);
        self
    }

    /// Returns the paths, with names in braces.
    pub(crate) fn into_paths(self) -> Vec<&'static str> {
        self.paths
    }

    /// Returns what answers at the paths.
    pub(crate) fn into_router(self) -> Router<ApiState> {
        self.router
    }
}
