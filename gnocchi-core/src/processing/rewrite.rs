//! Rewriting blocks: many small frames become one.

use carbonara::codec::{self, Encoding};
use carbonara::{Frame, Series};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use tracing::error;

use super::state::Rewrite;
use super::{Processor, blocking};
use crate::driver::{BlockRange, FrameKey, FrameRange, MetricChanges, StoredFrame, Stream};
use crate::error::Error;
use crate::model::MetricId;
use crate::telemetry;

/// Reads the blocks and returns the changes that replace the frames of each by one. `sequence` is the number of the commit
/// that will carry them, so the new frame stands behind every frame that it replaces.
///
/// A block with a damaged frame is left as it is: nothing that might still be repaired is thrown away.
pub(crate) async fn rewritten(
    processor: &Processor,
    rewrites: Vec<Rewrite>,
    sequence: u64,
) -> Result<Vec<MetricChanges>, Error> {
    let rewrites = without_repetition(rewrites);
    let requests: Vec<FrameRange> = rewrites
        .iter()
        .map(|rewrite| FrameRange {
            metric: rewrite.metric,
            range: block_range(rewrite),
        })
        .collect();
    let blocks = processor.storage.read(&requests).await?;
    let work = move || {
        let mut changes: HashMap<MetricId, MetricChanges> = HashMap::new();
        for (rewrite, frames) in rewrites.iter().zip(&blocks) {
            if frames.len() < 2 && !rewrite.sealed {
                continue;
            }
            if let Some(bytes) = merged(rewrite, frames) {
                let key = FrameKey {
                    stream: rewrite.stream,
                    block: rewrite.block,
                    sequence,
                };
                let change = changes
                    .entry(rewrite.metric)
                    .or_insert_with(|| MetricChanges {
                        metric: rewrite.metric,
                        removed: Vec::new(),
                        put: Vec::new(),
                    });
                change.removed.push(block_range(rewrite));
                change.put.push(StoredFrame {
                    key,
                    bytes: bytes.into(),
                });
            }
        }
        changes.into_values().collect()
    };
    blocking(work).await
}

/// Keeps one rewrite a block: sealed if one of them says so.
fn without_repetition(rewrites: Vec<Rewrite>) -> Vec<Rewrite> {
    let mut places: HashMap<(MetricId, Stream, u64), usize> =
        HashMap::with_capacity(rewrites.len());
    let mut kept: Vec<Rewrite> = Vec::with_capacity(rewrites.len());
    for rewrite in rewrites {
        match places.entry((rewrite.metric, rewrite.stream, rewrite.block)) {
            Entry::Occupied(place) => kept[*place.get()].sealed |= rewrite.sealed,
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(rewrite);
            }
        }
    }
    kept
}

fn block_range(rewrite: &Rewrite) -> BlockRange {
    BlockRange {
        stream: rewrite.stream,
        blocks: rewrite.block..rewrite.block.saturating_add(1),
    }
}

/// Merges and encodes the frames of one block; `None` when there is nothing to do or a frame is damaged.
fn merged(rewrite: &Rewrite, frames: &[StoredFrame]) -> Option<Vec<u8>> {
    let encoding = if rewrite.sealed {
        Encoding::Sealed
    } else {
        Encoding::Fresh
    };
    let result = match rewrite.stream {
        Stream::Level(_) => {
            decode_frames(frames).map(|rows| rows.map(|rows| codec::frame::encode(&rows, encoding)))
        }
        Stream::Window => {
            decode_window(frames).map(|points| Some(codec::points::encode(&points, encoding)))
        }
    };
    match result {
        Ok(bytes) => bytes,
        Err(reason) => {
            telemetry::damaged();
            error!(metric = %rewrite.metric, stream = ?rewrite.stream, block = rewrite.block, reason, "a block cannot be rewritten");
            None
        }
    }
}

fn decode_frames(frames: &[StoredFrame]) -> Result<Option<Frame>, String> {
    let mut decoded = Vec::with_capacity(frames.len());
    for frame in frames {
        decoded
            .extend(codec::frame::decode_all(&frame.bytes).map_err(|damage| damage.to_string())?);
    }
    if decoded.is_empty() {
        return Ok(None);
    }
    Frame::merge(&decoded.iter().collect::<Vec<_>>())
        .map(Some)
        .map_err(|error| error.to_string())
}

fn decode_window(frames: &[StoredFrame]) -> Result<Series, String> {
    let mut points = Series::new();
    for frame in frames {
        points.append_in_place(
            &codec::points::decode_all(&frame.bytes).map_err(|damage| damage.to_string())?,
        );
    }
    Ok(points)
}
