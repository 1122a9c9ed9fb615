//! What happens to every request: names, addresses, CORS, compression, budgets, and memory of responses.

pub(super) mod address;
pub(super) mod address_range;
pub(crate) mod client;
pub(super) mod compression;
pub(super) mod cors;
pub(super) mod edge;
pub(super) mod paid;
pub(super) mod request_head;
pub(super) mod request_id;
pub(super) mod trusted_proxies;
pub(super) mod unsent;
