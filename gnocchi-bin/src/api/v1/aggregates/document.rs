//! JSON that is put together piece by piece.

use std::sync::Arc;

use axum::response::Response;
use carbonara::Series;
use http::StatusCode;
use serde::Serialize;

use crate::api::render::{self, Rows};
use crate::api::v1::json_bytes;

/// A document that holds lists of measures.
#[derive(Debug, Default)]
pub(super) struct Document {
    bytes: Vec<u8>,
}

/// Rows of one granularity.
#[derive(Debug)]
pub(super) struct LevelRows {
    /// The granularity as JSON.
    pub(super) granularity: String,
    /// The beginnings of buckets, in nanoseconds since the epoch.
    pub(super) timestamps_ns: Arc<Vec<i64>>,
    /// A value for each bucket.
    pub(super) values: Vec<f64>,
}

impl Document {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds text as it is.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds the name of an entry.
    pub(super) fn key(&mut self, name: &str) -> &mut Self {
        self.value(&name).text(": ")
    }

    /// Adds a value.
    pub(super) fn value(&mut self, value: &impl Serialize) -> &mut Self {
        render::write(&mut self.bytes, value);
        self
    }

    /// Adds one list with the rows of all levels.
    pub(super) fn measures(&mut self, levels: Vec<LevelRows>) -> &mut Self {
        self
    }

    /// Answers with the document.
    pub(super) fn into_response(self) -> Response {
        json_bytes(StatusCode::OK, self.bytes)
    }
}
