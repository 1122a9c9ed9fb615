//! Searching resources: which ones fit a filter.
//!
//! A [`Filter`] is what a client asks, with values as written. It is parsed from text here (`cpu = 4 and not name like "a%"`);
//! adapters make it of other notations. [`Filter::bind`] checks it against a [resource type](crate::model::ResourceType) and gives
//! its values their types: the resulting [`Condition`] is always valid, and indexers turn it into a query. How a condition is
//! answered for one resource, null values included, is defined by [`Condition::matches`].
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
