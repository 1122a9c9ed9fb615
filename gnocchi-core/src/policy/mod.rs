//! Who may do what: callers, rules, and the decision.
//!
//! Every call of the API names an [`Action`]. An [`Enforcer`] holds a rule for each action, compiled from the text form that
//! operators write, and decides from the rule, the [`Caller`] and the [target](Target) of the call. A rule may leave the
//! decision to another service: then the decision names the [`RemoteCheck`] to do first. What a caller sees of a listing is
//! decided by the same rules, as a [`Sight`]: a [`Visibility`] that indexers filter by, or one thing after the other.

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
