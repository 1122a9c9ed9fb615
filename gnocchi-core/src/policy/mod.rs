//! Access rules: callers, rules, and decisions.
//!
//! Every call of the API names an [`Action`]. An [`Enforcer`] has a rule for each action, compiled from the text that operators
//! write, and decides from the rule, the [`Caller`] and the [target](Target) of the call. A rule may delegate the decision to
//! another service; the decision then names the [`RemoteCheck`] that has to be made first. The same rules determine which rows of a
//! listing a caller sees, as a [`Sight`]: a [`Visibility`] that indexers filter by, or a decision for each row.

mod action;
mod analysis;
mod caller;
mod credentials;
mod enforcer;
mod expression;
mod names;
mod parse;
mod properties;
mod remote;
mod target;
mod template;
mod visibility;

pub use action::{Action, BASE_RULES};
pub use caller::{Caller, Tenancy};
pub use credentials::InertCheck;
pub use enforcer::{Enforcer, PolicyError};
pub use parse::RuleError;
pub use properties::Properties;
pub use remote::{Answers, RemoteCheck};
pub use target::{MetricTarget, NewMetricTarget, NoTarget, ResourceTarget, Target};
pub use visibility::{
    CreatorProject, ResourceAccess, Sight, Visibility, VisibleMetrics, VisibleResources,
};
