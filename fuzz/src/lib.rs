//! Properties that hold for any input whatever.
//!
//! Each public function is a property: it panics when the property is broken. The programs in `fuzz_targets/` feed it from
//! libFuzzer (`cargo +nightly fuzz run frame_codec --features libfuzzer`); `cargo test` replays what
//! is saved under `corpus/<property>/` with any compiler. An input that broke a property is saved there
//! with the fix.

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that is broken panics; nothing else does"
)]

mod aggregation;
mod codecs;
mod damaged_store;
mod expressions;
mod ingestion;
mod router;
mod search;
mod times;

pub use aggregation::aggregate;
pub use codecs::{frame_codec, measures_codec, points_codec};
pub use damaged_store::damaged_store;
pub use expressions::expression;
pub use ingestion::{line_protocol, remote_write};
pub use router::router;
pub use search::filter;
pub use times::{timespan, timestamp};
