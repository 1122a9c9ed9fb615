//! Computing across many series, over memory drivers.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails where it must not has failed the test"
)]

mod history;
mod oracle;
mod refusals;
mod resources;
mod world;
