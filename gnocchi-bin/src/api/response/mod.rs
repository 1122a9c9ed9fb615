//! Responses: bodies, errors and the formats of both.

pub(super) mod accept;
pub mod error;
pub(crate) mod error_body;
pub(crate) mod explanation;
pub(super) mod python;
pub(crate) mod refusal;
pub mod render;
