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
pub(in crate::api::v1) struct Document {
    bytes: Vec<u8>,
}

/// Rows of one granularity.
#[derive(Debug)]
pub(in crate::api::v1) struct LevelRows {
    /// The granularity as JSON.
    pub(super) granularity: String,
    /// The beginnings of buckets, in nanoseconds since the epoch.
    pub(super) timestamps_ns: Arc<Vec<i64>>,
    /// A value for each bucket.
    pub(super) values: Vec<f64>,
}

impl Document {
    pub(in crate::api::v1) fn new() -> Self {
        Self::default()
    }

    /// Adds text as it is.
    pub(in crate::api::v1) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds the name of an entry.
    pub(in crate::api::v1) fn key(&mut self, name: &str) -> &mut Self {
        self.value(&name).text(": ")
    }

    /// Adds a value.
    pub(in crate::api::v1) fn value(&mut self, value: &impl Serialize) -> &mut Self {
        render::write(&mut self.bytes, value);
        self
    }

    /// Adds one list with the rows of all levels, in the order given.
    pub(in crate::api::v1) fn measures(&mut self, levels: Vec<LevelRows>) -> &mut Self {
        let runs: Vec<(String, Series)> = levels
            .into_iter()
            .flat_map(|level| ascending(&level))
            .collect();
        let rows: Vec<Rows<'_>> = runs
            .iter()
            .map(|(granularity, series)| Rows {
                granularity,
                series,
            })
            .collect();
        self.bytes.extend_from_slice(&render::measures(&rows));
        self
    }
}

/// Answers with a document.
pub(in crate::api::v1) fn document(document: Document) -> Response {
    json_bytes(StatusCode::OK, document.bytes)
}

/// Cuts rows where time goes back.
fn ascending(level: &LevelRows) -> Vec<(String, Series)> {
    let mut runs = Vec::new();
    let mut from = 0;
    for to in 1..=level.values.len() {
        if level
            .timestamps_ns
            .get(to)
            .is_none_or(|next| *next <= level.timestamps_ns[to - 1])
        {
            let (stamps, values) = (&level.timestamps_ns[from..to], &level.values[from..to]);
            if let Ok(series) = Series::from_points(stamps.to_vec(), values.to_vec()) {
                runs.push((level.granularity.clone(), series));
            }
            from = to;
        }
    }
    runs
}
