//! From pending measures to stored aggregates: claim, fold, commit, acknowledge.
//!
//! One owner at a time works on a sack. He holds its lease, keeps the open windows of its metrics in memory, and does one
//! *turn* after the other: claim what is pending, fold it, commit, acknowledge, then rewrite the blocks that deserve it. The
//! storage remembers the receipt of the last commit of a sack, so that a new owner first acknowledges what the one before him
//! committed; a measure is therefore folded once, whatever crashes when.

mod cache;
mod janitor;
mod ownership;
mod rewrite;
mod state;
mod statistics;
mod turn;
mod worker;

pub(crate) use cache::WindowCache;
pub(crate) use state::MetricState;
pub(crate) use worker::Processor;
