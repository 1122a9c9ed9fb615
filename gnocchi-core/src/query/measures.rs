//! The aggregates of one metric.

use std::sync::Arc;

use carbonara::calendar::CalendarUnit;
use carbonara::codec;
use carbonara::constants::POINTS_PER_BLOCK;
use carbonara::resample::{ResampleTo, resample};
use carbonara::{
    AggregationMethod, AggregationPlan, Frame, Level, Series, Timespan, Timestamp, Window,
};
use jiff::tz::TimeZone;

use crate::driver::{BlockRange, FrameRange, StoredFrame, Stream};
use crate::error::Error;
use crate::model::{Metric, MetricId};
use crate::processing::{INLINE_BYTES_MAX, blocking};
use crate::store::Gnocchi;
use crate::telemetry;

/// Pending points that are folded on the task that reads them: about a tenth of a millisecond.
const INLINE_POINTS_MAX: usize = 20_000;

/// Which aggregates are wanted.
#[derive(Debug, Clone)]
pub struct MeasuresQuery {
    /// The aggregation method.
    pub method: AggregationMethod,
    /// One granularity of the archive policy; `None` wants all.
    pub granularity: Option<Timespan>,
    /// The first moment; the bucket that holds it is included.
    pub start: Option<Timestamp>,
    /// The end: buckets that begin at or after it are left out.
    pub stop: Option<Timestamp>,
    /// Groups the stored aggregates of the granularity further.
    pub resample: Option<Resample>,
}

/// How stored aggregates are grouped further.
#[derive(Debug, Clone)]
pub enum Resample {
    /// By spans of equal length.
    Span(Timespan),
    /// By units of the calendar.
    Calendar {
        /// The unit.
        unit: CalendarUnit,
        /// Where the calendar hangs.
        time_zone: TimeZone,
    },
}

/// How long the buckets of a result are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelGranularity {
    /// All the same.
    Span(Timespan),
    /// A unit of the calendar.
    Calendar(CalendarUnit),
}

/// The aggregates of one granularity.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelMeasures {
    /// The length of the buckets.
    pub granularity: LevelGranularity,
    /// A value for the beginning of each bucket.
    pub series: Series,
}

/// What a metric has beyond its stored frames: what the pending measures make of it.
#[derive(Debug, Default)]
struct Overlay {
    /// The newest point, pending ones included.
    newest: Option<Timestamp>,
    /// Rows that pending measures change.
    frames: Vec<Frame>,
}

impl Gnocchi {
    /// Returns aggregates of a metric, coarsest granularity first; an empty series where there is nothing.
    ///
    /// Measures that are acknowledged but not folded yet are part of the answer: they are folded in memory over what is stored,
    /// without any lock.
    ///
    /// # Errors
    /// [`Error::UnknownAggregation`], [`Error::UnknownGranularity`] when the archive policy doesn't keep what is asked for,
    /// [`Error::ResampleWithoutGranularity`], [`Error::Damaged`] when stored data doesn't decode, or a driver's failure.
    pub async fn measures(
        &self,
        metric: &Metric,
        query: &MeasuresQuery,
    ) -> Result<Vec<LevelMeasures>, Error> {
        let levels = wanted_levels(metric, query)?;
        let overlay = self.overlay(metric).await?;
        let Some(newest) = overlay.newest else {
            return Ok(levels
                .iter()
                .map(|level| finish(level, Series::new(), query))
                .collect());
        };
        let wanted: Vec<WantedRows> = levels
            .iter()
            .map(|level| WantedRows::new(*level, query, newest))
            .collect();
        let requests: Vec<FrameRange> = wanted.iter().map(|rows| rows.request(metric.id)).collect();
        let stored = self.drivers().storage.read(&requests).await?;
        let bytes: usize = stored.iter().flatten().map(|frame| frame.bytes.len()).sum();
        let (metric, query) = (metric.id, query.clone());
        let work = move || {
            let read = wanted.iter().zip(&stored).map(|(rows, frames)| {
                let granularity = rows.level.granularity;
                let pending = overlay
                    .frames
                    .iter()
                    .find(|frame| frame.granularity() == granularity);
                let series = rows.assemble(metric, frames, pending, query.method)?;
                Ok(finish(&rows.level, series, &query))
            });
            read.collect()
        };
        if bytes <= INLINE_BYTES_MAX {
            work()
        } else {
            blocking(work).await?
        }
    }

    /// Folds the pending measures of a metric over its open window, in memory.
    async fn overlay(&self, metric: &Metric) -> Result<Overlay, Error> {
        // Pending measures first: what is folded between the two reads is then folded again over itself, which changes
        // nothing. The other way round it would be missed.
        let pending = self
            .drivers()
            .incoming
            .pending(&[metric.id])
            .await?
            .pop()
            .unwrap_or_default();
        let processor = &self.inner.processor;
        let state = processor.state(metric).await?;
        if pending.is_empty() {
            return Ok(Overlay {
                newest: state.window.last().map(|point| point.timestamp),
                frames: Vec::new(),
            });
        }
        let plan = Arc::clone(metric.archive_policy.plan());
        let points: usize = pending.iter().map(|batch| batch.len()).sum();
        let pending = Arc::new(pending);
        let fold =
            |mut window: Window, (plan, pending): (Arc<AggregationPlan>, Arc<Vec<Arc<Series>>>)| {
                let batches: Vec<&Series> = pending.iter().map(Arc::as_ref).collect();
                let folded = window.fold(&plan, &batches).ok()?;
                let newest = window.last().map(|point| point.timestamp);
                Some(Overlay {
                    newest,
                    frames: folded.frames,
                })
            };
        let mut window = state.window.clone();
        loop {
            let complete = window.has_points();
            let given = (Arc::clone(&plan), Arc::clone(&pending));
            let overlay = if points <= INLINE_POINTS_MAX {
                fold(window, given)
            } else {
                blocking(move || fold(window, given)).await?
            };
            match overlay {
                Some(overlay) => return Ok(overlay),
                None if complete => unreachable!("a window with its points takes any batch"),
                None => window = processor.stored_window(metric).await?,
            }
        }
    }
}

/// Returns the levels that a query asks for, coarsest first.
fn wanted_levels(metric: &Metric, query: &MeasuresQuery) -> Result<Vec<Level>, Error> {
    let policy = &metric.archive_policy;
    if !policy.aggregation_methods().contains(&query.method) {
        return Err(Error::UnknownAggregation {
            metric: metric.id,
            method: query.method,
        });
    }
    if query.resample.is_some() && query.granularity.is_none() {
        return Err(Error::ResampleWithoutGranularity);
    }
    let levels = policy.plan().levels();
    match query.granularity {
        None => Ok(levels.iter().rev().copied().collect()),
        Some(granularity) => match levels.iter().find(|level| level.granularity == granularity) {
            Some(level) => Ok(vec![*level]),
            None => Err(Error::UnknownGranularity {
                metric: metric.id,
                method: query.method,
                granularity,
            }),
        },
    }
}

/// The rows of one level that a query asks for.
struct WantedRows {
    level: Level,
    /// Bucket numbers; may be empty.
    first: i64,
    end: i64,
}

impl WantedRows {
    /// Cuts the time that is asked for down to what the level keeps behind its newest bucket.
    fn new(level: Level, query: &MeasuresQuery, newest: Timestamp) -> Self {
        let granularity = level.granularity;
        let newest_bucket = newest.bucket(granularity);
        let kept = level.first_kept_bucket(newest).unwrap_or(0);
        let asked = query.start.map_or(0, |start| start.bucket(granularity));
        let end = match query.stop {
            // Buckets that begin before `stop`.
            Some(stop) => {
                stop.as_nanosecond().div_euclid(granularity.as_nanosecond())
                    + i64::from(stop.as_nanosecond() % granularity.as_nanosecond() != 0)
            }
            None => i64::MAX,
        };
        Self {
            level,
            first: kept.max(asked),
            end: end.min(newest_bucket + 1),
        }
    }

    fn request(&self, metric: MetricId) -> FrameRange {
        let block = |bucket: i64| u64::try_from(bucket / POINTS_PER_BLOCK).unwrap_or(0);
        let blocks = if self.first < self.end {
            block(self.first)..block(self.end - 1) + 1
        } else {
            0..0
        };
        FrameRange {
            metric,
            range: BlockRange {
                stream: Stream::Level(self.level.granularity),
                blocks,
            },
        }
    }

    /// Merges stored frames and pending rows and reads one method out of them.
    fn assemble(
        &self,
        metric: MetricId,
        stored: &[StoredFrame],
        pending: Option<&Frame>,
        method: AggregationMethod,
    ) -> Result<Series, Error> {
        let mut frames = Vec::with_capacity(stored.len() + 1);
        for frame in stored {
            let decoded = codec::frame::decode_all(&frame.bytes).map_err(|source| {
                telemetry::damaged();
                let granularity = self.level.granularity.as_second_f64();
                let place = format!("block {} of granularity {granularity} s", frame.key.block);
                Error::Damaged {
                    metric,
                    place,
                    source,
                }
            })?;
            frames.extend(decoded);
        }
        let all: Vec<&Frame> = frames.iter().chain(pending).collect();
        if all.is_empty() || self.first >= self.end {
            return Ok(Series::new());
        }
        let merged = Frame::merge(&all).map_err(|_| Error::Damaged {
            metric,
            place: format!("granularity {} s", self.level.granularity.as_second_f64()),
            source: codec::DecodeError::Corrupt(codec::Corruption::Layout),
        })?;
        Ok(merged
            .range(self.first..self.end)
            .series(method)
            .unwrap_or_default())
    }
}

/// Applies the resampling of a query.
fn finish(level: &Level, series: Series, query: &MeasuresQuery) -> LevelMeasures {
    let statistic = query.method.statistic;
    match &query.resample {
        None => LevelMeasures {
            granularity: LevelGranularity::Span(level.granularity),
            series,
        },
        Some(Resample::Span(span)) => LevelMeasures {
            granularity: LevelGranularity::Span(*span),
            series: resample(&series, ResampleTo::Span(*span), statistic),
        },
        Some(Resample::Calendar { unit, time_zone }) => LevelMeasures {
            granularity: LevelGranularity::Calendar(*unit),
            series: resample(&series, ResampleTo::Calendar(*unit, time_zone), statistic),
        },
    }
}
