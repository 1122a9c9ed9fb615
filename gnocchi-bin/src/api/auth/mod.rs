//! Who calls, and what they may do.
//!
//! | file | concern |
//! |---|---|
//! | `settings` | how callers are told apart, as plain data |
//! | `authenticator` | the same as a component: from a request to a caller, or 401 |
//! | `basic`, `passwords` | names and passwords |
//! | `logins` | counts logins, and logs those that fail |
//! | `remote_user`, `identity_headers` | callers that a proxy in front of the server knows |
//! | `keystone/` | tokens of an identity service |
//! | `access`, `require`, `visibility` | rules: what a caller may do, and what they see |
//! | `remote_checks` | rules that another service decides |

mod access;
mod authenticator;
mod basic;
mod identity_headers;
pub mod keystone;
mod logins;
pub mod passwords;
mod remote_checks;
mod remote_user;
mod require;
mod settings;
mod visibility;

pub use access::AccessControl;
pub use authenticator::Authenticator;
pub use basic::Basic;
pub use gnocchi_core::access::{NoRemoteChecks, Policy, RemoteChecker};
pub use remote_checks::{HttpChecks, HttpChecksSettings, RemoteContentType};
pub use remote_user::{RemoteUser, RemoteUserHeader};
pub use settings::{AuthSettings, BasicSettings, RemoteUserSettings};

pub(crate) use authenticator::{Authenticated, guard};
pub(crate) use gnocchi_core::access::Extent;
pub(crate) use logins::{CallerName, Logins};
pub(crate) use require::{
    Grounds, denied, may, require, require_get_resource, require_insight, require_on_metric,
    require_on_metrics, require_on_resource, resource_of, resources_of,
};
pub(crate) use visibility::{metric_sight, resource_reach, resource_sight};
