//! What the owner of a sack keeps in memory of one metric between two folds.

use carbonara::block::{BlockKey, OPEN_BLOCK_FRAMES_MAX};
use carbonara::codec::{self, Encoding};
use carbonara::{AggregationPlan, Folded, Frame, Series, Timespan, Timestamp, Window};

use crate::driver::{BlockRange, FrameKey, MetricChanges, StoredFrame, Stream};
use crate::model::MetricId;

/// Rows that the newest frame of an open block may have while it is rewritten in place.
///
/// A frame per row would be read slowly, and rewriting a large frame for each row would be written slowly. At this size a
/// metric that gets a point per bucket rewrites about 250 bytes a commit and leaves a frame every 8 rows.
const TAIL_ROWS_MAX: usize = 8;

/// Points that the newest frame of a raw window may have while it is rewritten in place: at 8 to 16 bytes each.
const TAIL_POINTS_MAX: usize = 16;

/// On average a block whose frames are not counted is folded after so many of them.
const UNCOUNTED_COMMITS_PER_FOLD: u64 = 64;

/// The number under which a raw window keeps the moment from which on it is complete; no block of points is that late.
pub(crate) const COMPLETENESS_BLOCK: u64 = u64::MAX - 1;

/// The open window of a metric, and where its newest frames stand.
#[derive(Debug, Clone)]
pub(crate) struct MetricState {
    pub(crate) window: Window,
    raw: RawTail,
    levels: Vec<LevelTail>,
}

#[derive(Debug, Clone, Default)]
struct RawTail {
    /// The newest frame: its block, its sequence and what it holds.
    tail: Option<(u64, u64, Series)>,
    /// Blocks before this one are known to be removed.
    removed_before: u64,
}

#[derive(Debug, Clone)]
struct LevelTail {
    stream: Stream,
    /// The newest block: that of the newest point.
    newest_block: Option<u64>,
    /// Frames in the newest block; not known after the state was made from what is stored.
    frames: Option<usize>,
    /// The newest frame: its sequence and its rows.
    tail: Option<(u64, Frame)>,
    removed_before: u64,
}

/// A block that should be rewritten as one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rewrite {
    pub(crate) metric: MetricId,
    pub(crate) stream: Stream,
    pub(crate) block: u64,
    /// Compressed for good, because the newest points have left it.
    pub(crate) sealed: bool,
}

/// What one fold asks of the storage.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) changes: MetricChanges,
    pub(crate) rewrites: Vec<Rewrite>,
}

impl MetricState {
    /// Makes the state of a metric whose window was just made or restored.
    pub(crate) fn new(plan: &AggregationPlan, window: Window) -> Self {
        let last = window.last().map(|point| point.timestamp);
        let newest = |granularity| Some(number(BlockKey::at(last?, granularity).number));
        let levels = plan
            .levels()
            .iter()
            .map(|level| LevelTail {
                stream: Stream::Level(level.granularity),
                newest_block: newest(level.granularity),
                frames: None,
                tail: None,
                removed_before: 0,
            })
            .collect();
        Self {
            window,
            raw: RawTail::default(),
            levels,
        }
    }

    /// Returns about how much memory this takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let raw = self
            .raw
            .tail
            .as_ref()
            .map_or(0, |(_, _, points)| points.memory_bytes());
        let levels = self.levels.iter().map(|level| {
            let rows = level.tail.as_ref().map_or(0, |(_, frame)| {
                frame.len() * (1 + frame.columns().len()) * size_of::<f64>()
            });
            size_of::<LevelTail>() + rows
        });
        size_of::<Self>() + self.window.memory_bytes() + raw + levels.sum::<usize>()
    }

    /// Turns a fold into changes of the stored frames; `sequence` is the number of the commit that will carry them.
    pub(crate) fn outcome(
        &mut self,
        metric: MetricId,
        plan: &AggregationPlan,
        folded: Folded,
        sequence: u64,
    ) -> Outcome {
        let mut changes = MetricChanges {
            metric,
            removed: Vec::new(),
            put: Vec::new(),
        };
        let mut rewrites = Vec::new();
        self.raw.store(plan, &folded, sequence, &mut changes);
        for frame in folded.frames {
            let stream = Stream::Level(frame.granularity());
            if let Some(level) = self.levels.iter_mut().find(|level| level.stream == stream) {
                for (block, rows) in frame.into_blocks() {
                    level.store(
                        metric,
                        number(block),
                        rows,
                        sequence,
                        &mut changes,
                        &mut rewrites,
                    );
                }
            }
        }
        for kept in &folded.kept {
            let stream = Stream::Level(kept.granularity);
            if let Some(level) = self.levels.iter_mut().find(|level| level.stream == stream) {
                level.remove_before(
                    number(kept.first_bucket / carbonara::constants::POINTS_PER_BLOCK),
                    &mut changes,
                );
            }
        }
        Outcome { changes, rewrites }
    }
}

impl RawTail {
    fn store(
        &mut self,
        plan: &AggregationPlan,
        folded: &Folded,
        sequence: u64,
        changes: &mut MetricChanges,
    ) {
        let span = plan.raw_block_span();
        let block_of = |timestamp: Timestamp| number(timestamp.bucket(span));
        let timestamps = folded.added.timestamps_ns();
        let mut start = 0;
        while let Some(first) = timestamps.get(start) {
            let block = block_of(moment(*first));
            let end =
                start + timestamps[start..].partition_point(|ns| block_of(moment(*ns)) == block);
            let values = &folded.added.values()[start..end];
            let points = Series::from_points(timestamps[start..end].to_vec(), values.to_vec())
                .expect("a part of a series is a series");
            self.store_run(block, points, sequence, changes);
            start = end;
        }
        let keep_from = block_of(folded.keep_raw_from);
        if keep_from > self.removed_before {
            let blocks = self.removed_before..keep_from;
            changes.removed.push(BlockRange {
                stream: Stream::Window,
                blocks,
            });
            changes.put.push(completeness_mark(keep_from, span));
            self.removed_before = keep_from;
        }
    }

    /// Stores points of one block: in the newest frame while that is small and they are newer, else in a new one.
    fn store_run(
        &mut self,
        block: u64,
        points: Series,
        sequence: u64,
        changes: &mut MetricChanges,
    ) {
        let (frame_sequence, points) = match self.tail.take() {
            Some((tail_block, tail_sequence, mut tail))
                if tail_block == block
                    && tail.len() + points.len() <= TAIL_POINTS_MAX
                    && tail.last().map(|point| point.timestamp)
                        < points.first().map(|point| point.timestamp) =>
            {
                tail.append_in_place(&points);
                (tail_sequence, tail)
            }
            _ => (sequence, points),
        };
        let key = FrameKey {
            stream: Stream::Window,
            block,
            sequence: frame_sequence,
        };
        changes.put.push(StoredFrame {
            key,
            bytes: codec::points::encode(&points, Encoding::Fresh).into(),
        });
        self.tail = (points.len() < TAIL_POINTS_MAX).then_some((block, frame_sequence, points));
    }
}

impl LevelTail {
    fn store(
        &mut self,
        metric: MetricId,
        block: u64,
        rows: Frame,
        sequence: u64,
        changes: &mut MetricChanges,
        rewrites: &mut Vec<Rewrite>,
    ) {
        let rewrite = |sealed, block| Rewrite {
            metric,
            stream: self.stream,
            block,
            sealed,
        };
        match self.newest_block {
            Some(newest) if block > newest => {
                rewrites.push(rewrite(true, newest));
                (self.newest_block, self.frames, self.tail) = (Some(block), Some(0), None);
            }
            // Late rows in a block that may be sealed: rare, and a block of many frames is slow to read.
            Some(newest) if block < newest => rewrites.push(rewrite(true, block)),
            Some(_) => {}
            None => (self.newest_block, self.frames) = (Some(block), Some(0)),
        }
        let extended = self.tail.take().and_then(|(tail_sequence, mut tail)| {
            let small =
                self.newest_block == Some(block) && tail.len() + rows.len() <= TAIL_ROWS_MAX + 1;
            (small && tail.merge_in_place(&rows).is_ok()).then_some((tail_sequence, tail))
        });
        let (frame_sequence, rows) = extended.unwrap_or((sequence, rows));
        if frame_sequence == sequence {
            self.frames = self.frames.map(|frames| frames + 1);
        }
        let key = FrameKey {
            stream: self.stream,
            block,
            sequence: frame_sequence,
        };
        changes.put.push(StoredFrame {
            key,
            bytes: codec::frame::encode(&rows, Encoding::Fresh).into(),
        });
        let newest = self.newest_block == Some(block);
        // Where the number is unknown, every so many-th commit folds the block: metrics whose state is not held between two folds
        // would never get there by counting.
        let many = self.frames.map_or_else(
            || sequence.is_multiple_of(UNCOUNTED_COMMITS_PER_FOLD),
            |frames| frames >= OPEN_BLOCK_FRAMES_MAX,
        );
        if newest && many {
            self.frames = Some(1);
            rewrites.push(Rewrite {
                metric,
                stream: self.stream,
                block,
                sealed: false,
            });
            // The rewritten block takes the number of the commit that follows; what comes later must stand behind it.
            self.tail = None;
        } else if newest && rows.len() <= TAIL_ROWS_MAX {
            self.tail = Some((frame_sequence, rows));
        }
    }

    fn remove_before(&mut self, block: u64, changes: &mut MetricChanges) {
        if block > self.removed_before {
            changes.removed.push(BlockRange {
                stream: self.stream,
                blocks: self.removed_before..block,
            });
            self.removed_before = block;
        }
    }
}

/// Notes that raw blocks before `first_block` were dropped: a frame of one point at the beginning of that block.
fn completeness_mark(first_block: u64, span: Timespan) -> StoredFrame {
    let complete_from_ns = i64::try_from(first_block)
        .unwrap_or(i64::MAX)
        .saturating_mul(span.as_nanosecond());
    let mark = Series::from_points(vec![complete_from_ns], vec![0.0])
        .expect("a block begins after the epoch");
    let key = FrameKey {
        stream: Stream::Window,
        block: COMPLETENESS_BLOCK,
        sequence: 0,
    };
    StoredFrame {
        key,
        bytes: codec::points::encode(&mark, Encoding::Fresh).into(),
    }
}

/// Converts the number of a block or bucket, which is never negative.
fn number(block: i64) -> u64 {
    u64::try_from(block).expect("nothing is stored before the epoch")
}

fn moment(timestamp_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(timestamp_ns).expect("a series holds no point before the epoch")
}
