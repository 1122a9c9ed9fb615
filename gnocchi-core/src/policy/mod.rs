//! Who may do what: callers, rules, and the decision.
//!
//! Every call of the API names an [`Action`]. An [`Enforcer`] holds a rule for each action, compiled from the text form that
//! operators write, and decides from the rule, the [`Caller`] and the [target](Target) of the call.

mod action;
mod caller;
mod enforcer;
mod expression;
mod target;
mod visibility;

pub use action::{Action, BASE_RULES};
pub use caller::Caller;
pub use enforcer::{Enforcer, PolicyError};
pub use expression::RuleError;
pub use target::{MetricTarget, NewMetricTarget, NoTarget, ResourceTarget, Target};
pub use visibility::{CreatorProject, Visibility, VisibleMetrics, VisibleResources};
