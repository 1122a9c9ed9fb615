//! `gnocchi import`: measures from CSV files, through the HTTP API of a running server.
//!
//! Every file is read in pieces (mostly one), each sorted by time and sent in batches. The batches of one metric go one after the
//! other, so that an import never makes its own points too late; those of different metrics and files are in flight together.

mod advice;
mod arguments;
mod batch;
mod client;
mod columns;
mod credentials;
mod delimiter;
mod file;
mod form;
mod line;
mod number;
mod piece;
mod record;
mod refusal;
mod report;
mod run;
mod source;
mod timestamp;
mod utf16;
mod window;

pub(super) use arguments::ImportArgs;
pub(super) use run::run;

/// How an import ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every line was accepted.
    Complete,
    /// Something was rejected, could not be read or could not be sent.
    Incomplete,
}
