//! Reading the raw windows of metrics from storage.

use std::sync::Arc;

use carbonara::codec::{self, DecodeError};
use carbonara::{AggregationPlan, Series, Timestamp, Window};
use hashbrown::HashMap;
use tokio::time::Instant;
use tracing::error;

use super::state::COMPLETENESS_BLOCK;
use super::{INLINE_BYTES_MAX, MetricState, Processor, blocking};
use crate::driver::{BlockRange, FrameRange, StoredFrame, Stream};
use crate::error::Error;
use crate::model::{Metric, MetricId};
use crate::telemetry;

/// What a frame that doesn't decode does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The read fails: for readers, who must not see less without being told.
    Fails,
    /// The window is closed up to the end of the damaged block: for the owner, who must go on with what arrives but must not
    /// compute a bucket anew from a part of its points. The frame stays where it is, for `verify` to list.
    Closes,
}

/// Reads the raw windows of metrics and restores their state.
pub(crate) async fn load_states(
    processor: &Processor,
    metrics: &[&Metric],
    damage: Damage,
) -> Result<HashMap<MetricId, MetricState>, Error> {
    if metrics.is_empty() {
        return Ok(HashMap::new());
    }
    let started = Instant::now();
    let range = BlockRange {
        stream: Stream::Window,
        blocks: 0..u64::MAX,
    };
    let requests: Vec<FrameRange> = metrics
        .iter()
        .map(|metric| FrameRange {
            metric: metric.id,
            range: range.clone(),
        })
        .collect();
    let windows = processor.storage.read(&requests).await?;
    let bytes: usize = windows
        .iter()
        .flatten()
        .map(|frame| frame.bytes.len())
        .sum();
    let wanted: Vec<(MetricId, Arc<AggregationPlan>)> = metrics
        .iter()
        .map(|metric| (metric.id, Arc::clone(metric.archive_policy.plan())))
        .collect();
    let work = move || {
        let restored = wanted.iter().zip(&windows).map(|((metric, plan), frames)| {
            let window = restore(*metric, plan, frames, damage)?;
            Ok((*metric, MetricState::new(plan, window)))
        });
        restored.collect::<Result<HashMap<_, _>, Error>>()
    };
    let states = if bytes <= INLINE_BYTES_MAX {
        work()?
    } else {
        blocking(work).await??
    };
    processor.statistics.add(
        "raw measures fetch",
        "raw measures fetch time",
        metrics.len(),
        started.elapsed(),
    );
    Ok(states)
}

fn restore(
    metric: MetricId,
    plan: &AggregationPlan,
    frames: &[StoredFrame],
    damage: Damage,
) -> Result<Window, Error> {
    let mut points = Series::new();
    let mut complete_from = Timestamp::EPOCH;
    let mut damaged_block = None;
    for frame in frames {
        match codec::points::decode_all(&frame.bytes) {
            Ok(mark) if frame.key.block == COMPLETENESS_BLOCK => {
                complete_from = mark.last().map_or(complete_from, |mark| mark.timestamp);
            }
            Ok(more) => points.append_in_place(&more),
            Err(source) => {
                report(metric, frame, source);
                if damage == Damage::Fails {
                    let place = format!("block {} of the raw window", frame.key.block);
                    return Err(Error::Damaged {
                        metric,
                        place,
                        source,
                    });
                }
                if frame.key.block != COMPLETENESS_BLOCK {
                    damaged_block = damaged_block.max(Some(frame.key.block));
                }
            }
        }
    }
    if let Some(block) = damaged_block {
        complete_from = complete_from.max(close(plan, block, &mut points));
    }
    Ok(Window::restore(plan, points, complete_from))
}

/// Returns the end of a damaged block, from where on a window is complete again. When nothing newer is readable, a point without
/// a value ends the series there, so that the window knows how far time has come.
fn close(plan: &AggregationPlan, damaged_block: u64, points: &mut Series) -> Timestamp {
    let span_ns = plan.raw_block_span().as_nanosecond();
    let end_ns = i64::try_from(damaged_block).map_or(i64::MAX, |block| {
        block.saturating_add(1).saturating_mul(span_ns)
    });
    if points
        .last()
        .is_none_or(|last| last.timestamp.as_nanosecond() < end_ns)
    {
        let end = Series::from_points(vec![end_ns - 1], vec![f64::NAN])
            .expect("a block ends after the epoch");
        points.append_in_place(&end);
    }
    Timestamp::from_nanosecond(end_ns).expect("a block ends after the epoch")
}

fn report(metric: MetricId, frame: &StoredFrame, damage: DecodeError) {
    telemetry::damaged();
    error!(
        %metric,
        block = frame.key.block,
        sequence = frame.key.sequence,
        %damage,
        "a frame of the raw window is damaged"
    );
}
