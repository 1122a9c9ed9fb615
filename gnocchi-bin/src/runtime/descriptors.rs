//! How many files and connections the system lets this process have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// The share of the open files that connections may take; the rest is for the store, logs, and requests to other services.
const CONNECTIONS_SHARE: u64 = 2;

/// Raises the limit of open files to the largest that the system allows this process.
///
/// Why? The usual limit of 1024 is meant for programs that cannot have more, and everyone else is expected to raise it.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Where that is refused, the limit stays what it was, and is respected.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// Returns how many connections may be open, of those wanted: more would keep the store from opening its files.
pub(super) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let granted = share(wanted, limit);
    if granted < wanted {
        warn!(
            wanted,
            granted,
            open_files = limit,
            "fewer connections are accepted than [api] connections_max says: the system lets this process open too few files (ulimit -n)"
        );
    }
    granted
}

fn share(wanted: usize, limit: Option<u64>) -> usize {
    let most = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit / CONNECTIONS_SHARE).unwrap_or(usize::MAX)
    });
    wanted.min(most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_store() {
        assert_eq!(share(10_000, None), 10_000);
        assert_eq!(share(10_000, Some(1 << 20)), 10_000);
        assert_eq!(share(10_000, Some(1024)), 512);
        assert_eq!(share(10, Some(1024)), 10);
        assert_eq!(share(10, Some(0)), 1);
    }
}
