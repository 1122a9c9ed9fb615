//! Stored rows of many metrics, read in chunks and put together.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use carbonara::codec;
use carbonara::constants::POINTS_PER_BLOCK;
use carbonara::{AggregationMethod, ComponentSet, Frame, Level, Series, Timestamp};

use super::overlay::Overlay;
use crate::budget::{Budget, Held, aside};
use crate::driver::{BlockRange, FrameRange, StoredFrame, Stream};
use crate::error::Error;
use crate::model::MetricId;
use crate::processing::INLINE_BYTES_MAX;
use crate::store::Gnocchi;
use crate::telemetry;

/// How many readings the first chunk has; how many bytes they are is not known before.
const FIRST_CHUNK_READINGS: usize = 64;

/// How many readings a chunk has at most.
const CHUNK_READINGS_MAX: usize = 2048;

/// How many blocks a chunk has at most: a metric may keep any number of them.
const CHUNK_BLOCKS_MAX: usize = 512;

/// How many frames are decoded on the task that reads them: few bytes may be many rows.
const INLINE_FRAMES_MAX: usize = 128;

/// The memory of a point: its timestamp and its value.
const POINT_BYTES: usize = 16;

/// How many bytes of frames a chunk should have: the size of the next one follows from the one before.
const CHUNK_BYTES_WANTED: usize = 4 << 20;

/// The time that is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Period {
    /// The first moment; the bucket that holds it is included.
    pub(super) start: Option<Timestamp>,
    /// The end: buckets that begin at or after it are left out.
    pub(super) stop: Option<Timestamp>,
}

/// Rows of one metric and granularity, and the methods that are read out of them.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    metric: MetricId,
    level: Level,
    /// Bucket numbers; may be empty.
    first: i64,
    end: i64,
    /// Rows that stand over the stored ones.
    pending: Option<Arc<Frame>>,
    methods: Vec<AggregationMethod>,
}

impl Reading {
    /// Cuts the time that is asked for down to what the level keeps behind its newest bucket.
    pub(super) fn new(
        metric: MetricId,
        level: Level,
        period: Period,
        overlay: &Overlay,
        methods: Vec<AggregationMethod>,
    ) -> Self {
        let granularity = level.granularity;
        let (first, end) = overlay.newest.map_or((0, 0), |newest| {
            let kept = level.first_kept_bucket(newest).unwrap_or(0);
            let asked = period.start.map_or(0, |start| start.bucket(granularity));
            let end = match period.stop {
                // Buckets that begin before `stop`.
                Some(stop) => {
                    stop.as_nanosecond().div_euclid(granularity.as_nanosecond())
                        + i64::from(stop.as_nanosecond() % granularity.as_nanosecond() != 0)
                }
                None => i64::MAX,
            };
            (
                kept.max(asked),
                end.min(newest.bucket(granularity).saturating_add(1)),
            )
        });
        Self {
            metric,
            level,
            first,
            end,
            pending: overlay.frame(granularity).map(Arc::clone),
            methods,
        }
    }

    /// Reads another method out of the same rows; returns its place among the methods.
    pub(super) fn add(&mut self, method: AggregationMethod) -> usize {
        self.methods.push(method);
        self.methods.len() - 1
    }

    fn blocks(&self) -> Range<u64> {
        let block = |bucket: i64| u64::try_from(bucket / POINTS_PER_BLOCK).unwrap_or(0);
        if self.first < self.end {
            block(self.first)..block(self.end - 1) + 1
        } else {
            0..0
        }
    }

    /// Takes the first blocks off, if there are more than so many; what is left is read afterwards.
    fn split(&mut self, blocks_max: usize) -> Option<Self> {
        let Range { start, end } = self.blocks();
        let split = start.saturating_add(blocks_max as u64);
        if split >= end {
            return None;
        }
        let bucket = i64::try_from(split).ok()?.checked_mul(POINTS_PER_BLOCK)?;
        let first = Self {
            end: bucket,
            ..self.clone()
        };
        self.first = bucket;
        Some(first)
    }

    fn request(&self) -> FrameRange {
        let blocks = self.blocks();
        FrameRange {
            metric: self.metric,
            range: BlockRange {
                stream: Stream::Level(self.level.granularity),
                blocks,
            },
        }
    }

    /// Merges stored frames and pending rows and reads the methods out of them; an empty series for what is not there.
    fn assemble(
        &self,
        budget: &Budget,
        stored: &[StoredFrame],
    ) -> Result<(Vec<Series>, Held), Error> {
        // The other columns are not decoded; their bytes are part of the checksum all the same.
        let wanted = ComponentSet::for_methods(&self.methods);
        // They are held twice while they are merged.
        let row_bytes = 2 * size_of::<u64>() * (wanted.len() + 1);
        let mut frames = Vec::with_capacity(stored.len() + 1);
        let mut held = budget.hold(0)?;
        for frame in stored {
            let decoded = codec::frame::decode_all_of(&frame.bytes, &wanted).map_err(|source| {
                telemetry::damaged();
                let granularity = self.level.granularity.as_second_f64();
                Error::Damaged {
                    metric: self.metric,
                    place: format!("block {} of granularity {granularity} s", frame.key.block),
                    source,
                }
            })?;
            let rows: usize = decoded.iter().map(Frame::len).sum();
            held.grow(rows * row_bytes)?;
            budget.spend(rows)?;
            frames.extend(decoded);
        }
        frames.extend(self.pending.as_deref().map(|frame| frame.select(&wanted)));
        let all: Vec<&Frame> = frames.iter().collect();
        if all.is_empty() || self.first >= self.end {
            return Ok((vec![Series::new(); self.methods.len()], held));
        }
        let merged = match all.as_slice() {
            [only] => Cow::Borrowed(*only),
            several => Cow::Owned(Frame::merge(several).map_err(|_| Error::Damaged {
                metric: self.metric,
                place: format!("granularity {} s", self.level.granularity.as_second_f64()),
                source: codec::DecodeError::Corrupt(codec::Corruption::Layout),
            })?),
        };
        let buckets = self.first..self.end;
        let inside = |bucket: Option<&i64>| bucket.is_none_or(|bucket| buckets.contains(bucket));
        // Mostly everything that is stored is wanted, which saves a copy of all columns.
        let rows = if inside(merged.buckets().first()) && inside(merged.buckets().last()) {
            merged
        } else {
            Cow::Owned(merged.range(buckets))
        };
        let read = |method: &AggregationMethod| rows.series(*method).unwrap_or_default();
        let series: Vec<Series> = self.methods.iter().map(read).collect();
        drop(held);
        let points: usize = series.iter().map(Series::len).sum();
        Ok((series, budget.hold(points * POINT_BYTES)?))
    }
}

impl Gnocchi {
    /// Reads one series for each method of each reading, in order, and the memory that they hold.
    ///
    /// Encoded frames are held for two chunks at a time: one is decoded while the next one is read.
    ///
    /// # Errors
    /// [`Error::TooManyPoints`] once there are more than `points_max`; [`Error::Budget`].
    pub(super) async fn read_rows(
        &self,
        budget: &Budget,
        readings: Vec<Reading>,
        points_max: Option<usize>,
    ) -> Result<(Vec<Vec<Series>>, Held), Error> {
        let mut points = 0;
        let mut series: Vec<Vec<Series>> = Vec::with_capacity(readings.len());
        let mut later: Vec<Later> = Vec::new();
        let mut all = budget.hold(0)?;
        let mut rest = VecDeque::from(readings);
        let mut size = FIRST_CHUNK_READINGS;
        let mut chunk = next_chunk(&mut rest, size);
        let mut frames = self.read_frames(&chunk).await?;
        let mut goes_on = false;
        loop {
            let bytes = bytes_of(&frames);
            let encoded = budget.hold(bytes)?;
            size = next_size(size, bytes);
            let next = next_chunk(&mut rest, size);
            let more = !next.readings.is_empty();
            let (assembled, next_frames) = futures::future::join(
                assemble(budget, chunk.readings, frames, bytes),
                self.read_frames(&next),
            )
            .await;
            drop(encoded);
            for (own, held) in assembled? {
                points += own.iter().map(Series::len).sum::<usize>();
                all.add(held);
                if std::mem::take(&mut goes_on) && !series.is_empty() {
                    let reading = series.len() - 1;
                    later.push(Later {
                        reading,
                        series: own,
                    });
                } else {
                    series.push(own);
                }
            }
            goes_on = chunk.is_cut;
            if let Some(limit) = points_max.filter(|limit| points > *limit) {
                return Err(Error::TooManyPoints { limit });
            }
            if !more {
                return Ok((join(budget, series, later).await?, all));
            }
            budget.check()?;
            (chunk, frames) = (next, next_frames?);
        }
    }

    async fn read_frames(&self, chunk: &Chunk) -> Result<Vec<Vec<StoredFrame>>, Error> {
        if chunk.readings.is_empty() {
            return Ok(Vec::new());
        }
        let requests: Vec<FrameRange> = chunk.readings.iter().map(Reading::request).collect();
        Ok(self.drivers().storage.read(&requests).await?)
    }
}

/// Readings whose frames are read together.
struct Chunk {
    readings: Vec<Reading>,
    /// Whether the last one goes on in the next chunk.
    is_cut: bool,
}

/// Takes the next readings: at most so many, and no more blocks than are read at once.
fn next_chunk(rest: &mut VecDeque<Reading>, readings_max: usize) -> Chunk {
    let mut chunk = Chunk {
        readings: Vec::with_capacity(readings_max.min(rest.len())),
        is_cut: false,
    };
    let mut room = CHUNK_BLOCKS_MAX;
    while chunk.readings.len() < readings_max
        && let Some(reading) = rest.front_mut()
    {
        if room == 0 {
            break;
        }
        if let Some(first) = reading.split(room) {
            chunk.readings.push(first);
            chunk.is_cut = true;
            break;
        }
        let blocks = reading.blocks();
        room = room.saturating_sub(usize::try_from(blocks.end - blocks.start).unwrap_or(room));
        chunk.readings.extend(rest.pop_front());
    }
    chunk
}

/// What a later chunk has of a reading that was cut.
struct Later {
    /// The place of the reading.
    reading: usize,
    series: Vec<Series>,
}

/// Puts the points of later chunks behind those of earlier ones.
///
/// Why only once everything is read? Vectors that grow chunk by chunk are copied again and again, and take up to twice the memory of
/// their points.
async fn join(
    budget: &Budget,
    mut series: Vec<Vec<Series>>,
    mut later: Vec<Later>,
) -> Result<Vec<Vec<Series>>, Error> {
    if later.is_empty() {
        return Ok(series);
    }
    let Copied { points, longest } = Copied::by_join(&series, &later);
    // A chunk is dropped once it is copied, so that one of them is held twice.
    let held = budget.hold(longest * POINT_BYTES)?;
    let work = move || {
        for parts in later.chunk_by_mut(|one, next| one.reading == next.reading) {
            let reading = parts[0].reading;
            for (method, all) in series[reading].iter_mut().enumerate() {
                let first = std::mem::take(all);
                let rest = parts.iter_mut();
                let rest = rest.map(|part| std::mem::take(&mut part.series[method]));
                *all = concatenated(first, rest.collect());
            }
        }
        drop(held);
        series
    };
    budget.compute(points, work).await
}

/// What a join copies: all chunks of a reading that was cut, the first one included.
#[derive(Debug, PartialEq, Eq)]
struct Copied {
    points: usize,
    /// The points of the longest chunk.
    longest: usize,
}

impl Copied {
    fn by_join(series: &[Vec<Series>], later: &[Later]) -> Self {
        let firsts = later
            .chunk_by(|one, next| one.reading == next.reading)
            .flat_map(|parts| &series[parts[0].reading]);
        let chunks = firsts.chain(later.iter().flat_map(|chunk| &chunk.series));
        chunks.map(Series::len).fold(
            Self {
                points: 0,
                longest: 0,
            },
            |copied, length| Self {
                points: copied.points + length,
                longest: copied.longest.max(length),
            },
        )
    }
}

/// Makes one series of several, each of which begins after the end of the one before.
fn concatenated(first: Series, rest: Vec<Series>) -> Series {
    let points = first.len() + rest.iter().map(Series::len).sum::<usize>();
    let mut timestamps_ns = Vec::with_capacity(points);
    let mut values = Vec::with_capacity(points);
    for part in std::iter::once(first).chain(rest) {
        timestamps_ns.extend_from_slice(part.timestamps_ns());
        values.extend_from_slice(part.values());
    }
    Series::from_points(timestamps_ns, values)
        .expect("the buckets of later blocks come after those of earlier ones")
}

/// Doubles the chunk while it is small, and shrinks it at once when it was too large.
fn next_size(size: usize, bytes: usize) -> usize {
    let fitting = size.saturating_mul(CHUNK_BYTES_WANTED) / bytes.max(1);
    fitting.min(size * 2).clamp(1, CHUNK_READINGS_MAX)
}

fn bytes_of(frames: &[Vec<StoredFrame>]) -> usize {
    frames.iter().flatten().map(|frame| frame.bytes.len()).sum()
}

async fn assemble(
    budget: &Budget,
    chunk: Vec<Reading>,
    frames: Vec<Vec<StoredFrame>>,
    bytes: usize,
) -> Result<Vec<(Vec<Series>, Held)>, Error> {
    let own = budget.clone();
    let is_short = bytes <= INLINE_BYTES_MAX
        && frames.iter().map(Vec::len).sum::<usize>() <= INLINE_FRAMES_MAX;
    let work = move || {
        let pairs = chunk.iter().zip(&frames);
        pairs
            .map(|(reading, stored)| reading.assemble(&own, stored))
            .collect()
    };
    // A chunk is short enough to need no place among the large queries.
    if is_short { work() } else { aside(work).await? }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Pool, QueryLimits};

    #[tokio::test]
    async fn all_chunks_of_a_reading_are_joined_and_counted() {
        let part = |start: i64, points: i64| {
            let timestamps_ns: Vec<i64> = (start..start + points).collect();
            let values = vec![1.0; timestamps_ns.len()];
            Series::from_points(timestamps_ns, values).unwrap()
        };
        let later = |reading, start, points| Later {
            reading,
            series: vec![part(start, points), part(start, points)],
        };
        let series = || {
            let of = |points| vec![part(0, points), part(0, points)];
            vec![of(7), of(50), of(3)]
        };
        let cut = || vec![later(0, 10, 5), later(0, 20, 4), later(2, 10, 9)];
        let copied = Copied::by_join(&series(), &cut());
        let expected = Copied {
            points: 2 * (7 + 5 + 4 + 3 + 9),
            longest: 9,
        };
        assert_eq!(copied, expected);
        let pool = Arc::new(Pool::new(QueryLimits::default()));
        let joined = join(&Budget::new(&pool), series(), cut()).await.unwrap();
        let lengths: Vec<usize> = joined.iter().map(|methods| methods[1].len()).collect();
        assert_eq!(lengths, [16, 50, 12]);
        assert_eq!(pool.usage().held_bytes, 0);
    }

    #[test]
    fn chunks_follow_the_bytes_that_come() {
        let check = |size, bytes, expected| assert_eq!(next_size(size, bytes), expected);
        check(64, 0, 128);
        check(64, CHUNK_BYTES_WANTED, 64);
        check(64, CHUNK_BYTES_WANTED * 4, 16);
        check(1, CHUNK_BYTES_WANTED * 4, 1);
        check(CHUNK_READINGS_MAX, 1, CHUNK_READINGS_MAX);
    }
}
