//! The parts of a request: query, body, page, conditions, and the checks of what they hold.

pub(crate) mod body;
pub(crate) mod body_memory;
pub(super) mod body_pieces;
pub(super) mod conditions;
pub(super) mod filter;
pub(super) mod page;
pub(crate) mod query;
pub mod schema;
pub(crate) mod storable;
pub(super) mod time_zone;
