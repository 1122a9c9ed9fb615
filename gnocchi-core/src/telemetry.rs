//! The metrics of the store, through the `metrics` facade. Without a recorder they cost next to nothing.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::driver::Backlog;

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Points that were rejected, and why.
pub(crate) fn rejected(reason: &'static str, points: usize) {
    if points > 0 {
        counter!("gnocchi_measures_rejected_total", "reason" => reason).increment(count(points));
    }
}

/// Points were taken that lie unusually far ahead of the clock.
pub(crate) fn ahead(points: usize) {
    if points > 0 {
        counter!("gnocchi_measures_ahead_total").increment(count(points));
    }
}

/// A fold of one sack is done.
pub(crate) fn folded(elapsed: Duration) {
    histogram!("gnocchi_fold_seconds").record(elapsed.as_secs_f64());
}

/// A commit of one sack is done.
pub(crate) fn committed(elapsed: Duration, accepted_points: usize, frames: usize) {
    histogram!("gnocchi_commit_seconds").record(elapsed.as_secs_f64());
    counter!("gnocchi_measures_accepted_total").increment(count(accepted_points));
    counter!("gnocchi_frames_written_total").increment(count(frames));
}

/// Blocks were rewritten as one frame each.
pub(crate) fn rewritten(blocks: usize) {
    counter!("gnocchi_blocks_folded_total").increment(count(blocks));
}

/// A stored frame did not decode.
pub(crate) fn damaged() {
    counter!("gnocchi_damage_found_total").increment(1);
}

/// A query was refused or ended by its budget.
pub(crate) fn query_refused(reason: &'static str) {
    counter!("gnocchi_queries_refused_total", "reason" => reason).increment(1);
}

/// How much waits, and for how long.
pub(crate) fn backlog(backlog: &Backlog, oldest: Duration) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge for people; 2^53 is out of reach"
    )]
    let points = backlog.points as f64;
    gauge!("gnocchi_pending_points").set(points);
    gauge!("gnocchi_pending_oldest_seconds").set(oldest.as_secs_f64());
}
