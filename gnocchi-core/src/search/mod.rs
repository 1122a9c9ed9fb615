//! Searching resources by filters.
//!
//! A [`Filter`] is the request of a client, with values as written. This module parses it from text (`cpu = 4 and not name like "a%"`);
//! adapters construct it from other notations. [`Filter::bind`] checks it against a [resource type](crate::model::ResourceType) and
//! converts its values to their types. The resulting [`Condition`] is always valid, and indexers translate it into a query.
//! [`Condition::matches`] defines whether a resource satisfies a condition, null values included.
//!
//! ```
//! use gnocchi_core::search::Filter;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let filter: Filter = r#"host like "web-%" and (cpu >= 4 or not ended_at = null)"#.parse()?;
//! assert_eq!(filter.to_string().parse::<Filter>()?, filter);
//! # Ok(())
//! # }
//! ```

mod bind;
mod condition;
mod error;
mod evaluate;
mod filter;
mod like;
mod parse;
mod print;
mod written;

pub use bind::{BindError, SearchContext};
pub use condition::{Column, Condition, Operand, PARTS_MAX, VALUES_MAX};
pub use error::{FilterError, Misuse, MisuseStep};
pub use filter::{Comparison, Filter, Scalar};
pub use like::{LikePart, like_parts};
pub use parse::{DEPTH_MAX, TERMS_MAX, TEXT_BYTES_MAX};
