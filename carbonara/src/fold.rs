//! Folding new points into the aggregates of a metric.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::aggregate::{OpenBucket, Pass};
use crate::bucket::{end_of_run, last_of_bucket, start_of_bucket};
use crate::frame::Frame;
use crate::plan::AggregationPlan;
use crate::series::{Point, Series};
use crate::time::{Timespan, Timestamp};
use crate::window::{State, Window};

/// What a fold changes.
#[derive(Clone, Debug)]
pub struct Folded {
    /// Complete rows of the buckets that changed: a frame for each granularity that has any, finest first.
    pub frames: Vec<Frame>,
    /// Accepted points that belong in the stored raw points.
    pub added: Series,
    /// Points that were not accepted, in the order of receipt.
    pub rejected: Vec<Rejected>,
    /// Number of points accepted, as received: those that a later one replaced count too.
    pub accepted: usize,
    /// Stored raw points before the block of this moment may be dropped, see [`AggregationPlan::raw_block_span`]; the epoch while
    /// the metric has no point.
    pub keep_raw_from: Timestamp,
    /// How far back the buckets of each granularity with a timespan are kept, finest first; empty while the metric has no point.
    pub kept: Vec<Retention>,
}

/// A point that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rejected {
    /// When it was taken.
    pub timestamp: Timestamp,
    /// What was measured.
    pub value: f64,
    /// Why it was not accepted.
    pub reason: RejectReason,
}

/// Why a point was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// It is older than the back window.
    TooLate,
}

/// How far back the buckets of one granularity are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The granularity.
    pub granularity: Timespan,
    /// Buckets with a smaller number have expired.
    pub first_bucket: i64,
}

/// The fold needs raw points that the window has forgotten; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointsRequired;

/// The points of a fold, sorted out by lateness.
struct Incoming<'a> {
    /// What is accepted, the later batch winning at an equal timestamp.
    fresh: Cow<'a, Series>,
    rejected: Vec<Rejected>,
    accepted: usize,
}

impl Window {
    /// Folds batches of points, in the order of receipt, and returns what changes in the store.
    ///
    /// A later batch wins at an equal timestamp. Lateness is decided batch by batch: a point is too late when it lies before the back window of
    /// the newest point of all that came before its batch. So the result does not depend on how batches are grouped into calls.
    ///
    /// Points newer than all before cost only themselves, unless a method needs all values of a bucket. Other points cost the
    /// buckets that they touch. A row of a bucket beyond the timespan of its granularity is not produced.
    ///
    /// # Errors
    /// [`PointsRequired`] when a point is not newer than all before, or a method needs all values of a bucket, and the
    /// raw points were forgotten. Nothing is changed: restore the window from stored points, and fold again.
    pub fn fold(
        &mut self,
        plan: &AggregationPlan,
        batches: &[&Series],
    ) -> Result<Folded, PointsRequired> {
        let incoming = Incoming::sort_out(self.state.as_ref(), plan, batches);
        let fresh = &*incoming.fresh;
        let frames = if fresh.is_empty() {
            Vec::new()
        } else if self.can_append(plan, fresh) {
            self.append(plan, fresh)
        } else {
            self.recompute(plan, fresh)?
        };
        Ok(self.report(plan, frames, incoming))
    }

    fn can_append(&self, plan: &AggregationPlan, fresh: &Series) -> bool {
        let newer = match (self.last(), fresh.first()) {
            (Some(last), Some(first)) => first.timestamp > last.timestamp,
            _ => true,
        };
        newer && !plan.needs_values()
    }

    /// Continues the newest buckets with points that are newer than all before.
    fn append(&mut self, plan: &AggregationPlan, fresh: &Series) -> Vec<Frame> {
        let mut pass = Pass::new(plan.granularities(), plan.components());
        if let (Some(state), Some(first)) = (&self.state, fresh.first()) {
            pass.resume(&state.open, first.timestamp.as_nanosecond());
        }
        let previous = self.last().map(|last| last.value);
        pass.run(fresh.timestamps_ns(), fresh.values(), previous);
        let (frames, open) = pass.finish();
        if let Some(points) = &mut self.points {
            points.append_in_place(fresh);
        }
        self.advance(plan, fresh.last(), open, fresh.timestamps_ns());
        frames
    }

    /// Computes the touched buckets anew from the raw points.
    fn recompute(
        &mut self,
        plan: &AggregationPlan,
        fresh: &Series,
    ) -> Result<Vec<Frame>, PointsRequired> {
        let mut points = self.points.take().ok_or(PointsRequired)?;
        points.append_in_place(fresh);
        let touched = touched_points(plan, &points, fresh);
        let pieces: Vec<Vec<Range<usize>>> = plan
            .granularities()
            .iter()
            .map(|granularity| touched_pieces(&points, &touched, *granularity))
            .collect();
        let mut frames = Vec::with_capacity(pieces.len());
        let mut open = Vec::with_capacity(pieces.len());
        let together = pieces.windows(2).all(|pair| pair[0] == pair[1]);
        let levels_at_once = if together { pieces.len() } else { 1 };
        for (levels, pieces) in plan
            .granularities()
            .chunks(levels_at_once)
            .zip(pieces.chunks(levels_at_once))
        {
            let mut pass = Pass::new(levels, plan.components());
            for piece in &pieces[0] {
                let before = piece.start.checked_sub(1);
                pass.run(
                    &points.timestamps_ns()[piece.clone()],
                    &points.values()[piece.clone()],
                    before.map(|before| points.values()[before]),
                );
            }
            let (level_frames, level_open) = pass.finish();
            frames.extend(level_frames);
            open.extend(level_open);
        }
        let newest = points.last();
        self.keep_untouched_open(&mut open, &frames, newest);
        self.advance(plan, newest, open, points.timestamps_ns());
        self.points = Some(points);
        Ok(frames)
    }

    /// Replaces the states of recomputed buckets that are not the newest of their level by those known before.
    fn keep_untouched_open(
        &self,
        open: &mut [OpenBucket],
        frames: &[Frame],
        newest: Option<Point>,
    ) {
        let (Some(state), Some(newest)) = (&self.state, newest) else {
            return;
        };
        for ((open, frame), before) in open.iter_mut().zip(frames).zip(&state.open) {
            let newest_bucket = newest.timestamp.bucket(frame.granularity());
            if frame.buckets().last() != Some(&newest_bucket) {
                *open = *before;
            }
        }
    }

    fn advance(
        &mut self,
        plan: &AggregationPlan,
        newest: Option<Point>,
        open: Vec<OpenBucket>,
        known_ns: &[i64],
    ) {
        if let Some(newest) = newest {
            self.state = Some(State::advance(
                self.state.take(),
                plan,
                newest,
                open,
                known_ns,
            ));
        }
    }

    /// Drops what is not needed any more, and says so.
    fn report(
        &mut self,
        plan: &AggregationPlan,
        frames: Vec<Frame>,
        incoming: Incoming<'_>,
    ) -> Folded {
        self.drop_old_points();
        let kept = self.last().map_or(Vec::new(), |last| retention(plan, last));
        let keep_raw_from = self
            .state
            .as_ref()
            .map_or(Timestamp::EPOCH, State::keep_raw_from);
        let mut added = incoming.fresh.into_owned();
        // Stored points are dropped by whole blocks; within one nothing is missing, see `Window::restore`.
        added.truncate_before(keep_raw_from.floor(plan.raw_block_span()));
        Folded {
            frames: frames
                .into_iter()
                .map(|frame| without_expired(frame, &kept))
                .filter(|frame| !frame.is_empty())
                .collect(),
            added,
            rejected: incoming.rejected,
            accepted: incoming.accepted,
            keep_raw_from,
            kept,
        }
    }
}

impl<'a> Incoming<'a> {
    fn sort_out(state: Option<&State>, plan: &AggregationPlan, batches: &[&'a Series]) -> Self {
        let mut first_block = state.map(|state| state.first_block);
        let mut accepted: Vec<(&'a Series, usize)> = Vec::with_capacity(batches.len());
        let mut rejected = Vec::new();
        for batch in batches.iter().copied() {
            let Some(last) = batch.last() else { continue };
            let late = first_block.map_or(0, |first_block| batch.index_of(first_block));
            rejected.extend(batch.iter().take(late).map(|point| Rejected {
                timestamp: point.timestamp,
                value: point.value,
                reason: RejectReason::TooLate,
            }));
            // Grows with the newest point, so an older batch leaves it where it is.
            first_block = first_block.max(Some(plan.first_block(last.timestamp)));
            if late < batch.len() {
                accepted.push((batch, late));
            }
        }
        Self {
            accepted: accepted
                .iter()
                .map(|(batch, late)| batch.len() - late)
                .sum(),
            fresh: join(&accepted),
            rejected,
        }
    }
}

/// Joins batches, each without as many of its first points as stands beside it.
fn join<'a>(batches: &[(&'a Series, usize)]) -> Cow<'a, Series> {
    if let [(batch, 0)] = batches {
        return Cow::Borrowed(batch);
    }
    let mut timestamps_ns = Vec::new();
    let mut values = Vec::new();
    for (batch, late) in batches {
        timestamps_ns.extend_from_slice(&batch.timestamps_ns()[*late..]);
        values.extend_from_slice(&batch.values()[*late..]);
    }
    let joined = Series::from_points(timestamps_ns, values);
    Cow::Owned(joined.expect("parts of series are of one length and not before the epoch"))
}

/// Returns the indices, ascending, of the points whose buckets change: the new ones and, for differences, the neighbours after them.
fn touched_points(plan: &AggregationPlan, points: &Series, fresh: &Series) -> Vec<usize> {
    let differences = plan.needs_differences();
    let timestamps_ns = points.timestamps_ns();
    let mut touched: Vec<usize> = Vec::with_capacity(fresh.len() + 1);
    let mut next = 0;
    for fresh_ns in fresh.timestamps_ns() {
        // Mostly it is the very next one.
        if timestamps_ns[next] != *fresh_ns {
            next += timestamps_ns[next..].partition_point(|at_ns| at_ns < fresh_ns);
        }
        if touched.last() != Some(&next) {
            touched.push(next);
        }
        next += 1;
        if differences && next < timestamps_ns.len() {
            touched.push(next);
        }
    }
    touched
}

/// Returns the ranges of points that make up the buckets of the touched points; neighbouring buckets are one range.
fn touched_pieces(points: &Series, touched: &[usize], granularity: Timespan) -> Vec<Range<usize>> {
    let timestamps_ns = points.timestamps_ns();
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for index in touched {
        if pieces.last().is_some_and(|piece| *index < piece.end) {
            continue;
        }
        let bucket = timestamps_ns[*index] / granularity.as_nanosecond();
        let last_ns = last_of_bucket(bucket, granularity);
        let start_ns = start_of_bucket(bucket, granularity).as_nanosecond();
        let from = timestamps_ns[..*index].partition_point(|at_ns| *at_ns < start_ns);
        let to = end_of_run(timestamps_ns, *index, last_ns, 1);
        match pieces.last_mut() {
            Some(piece) if piece.end == from => piece.end = to,
            _ => pieces.push(from..to),
        }
    }
    pieces
}

/// Returns the first bucket that is kept of each level with a timespan: those with start > start of the newest - timespan.
fn retention(plan: &AggregationPlan, last: Point) -> Vec<Retention> {
    plan.levels()
        .iter()
        .filter_map(|level| {
            Some(Retention {
                granularity: level.granularity,
                first_bucket: level.first_kept_bucket(last.timestamp)?,
            })
        })
        .collect()
}

fn without_expired(frame: Frame, kept: &[Retention]) -> Frame {
    let first_bucket = kept
        .iter()
        .find(|retention| retention.granularity == frame.granularity())
        .map_or(0, |retention| retention.first_bucket);
    match frame.buckets().first() {
        Some(first) if *first < first_bucket => frame.range(first_bucket..i64::MAX),
        _ => frame,
    }
}

impl fmt::Display for PointsRequired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fold needs the raw points of the window")
    }
}

impl std::error::Error for PointsRequired {}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
