//! The users of one version of a password file, and how long it takes to refuse a password.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::hash::Hash;
use super::{PasswordLineError, edit};

/// The most users of a file: their hashes take about 20 MiB.
const USERS_MAX: usize = 100_000;

/// The shortest time in which a wrong password is refused.
const PERIOD_MIN: Duration = Duration::from_millis(10);

/// How much longer than a check at leisure one may take without a noticeable difference.
const SLACK: u32 = 2;

/// The hashes of one version of the file.
#[derive(Debug, Default)]
pub(super) struct Users {
    by_name: HashMap<String, Arc<Hash>>,
    /// In the order of the file.
    hashes: Vec<Arc<Hash>>,
    pace: OnceLock<Pace>,
}

/// What a password is compared with.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) hash: Arc<Hash>,
    /// Whether it is the hash of the user; else that of another one, so that it takes as long.
    pub(super) is_known: bool,
}

/// Wrong passwords are refused after a whole number of these periods.
///
/// Why? The time would tell names of users from others, where the hashes of a file differ in what they cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    period: Duration,
}

impl Users {
    /// Reads the text of a file.
    pub(super) fn parse(text: &str) -> Result<Self, PasswordLineError> {
        let mut users = Self::default();
        for (index, line) in text.lines().enumerate() {
            let refuse = |problem: &str| PasswordLineError {
                line: index + 1,
                problem: problem.to_owned(),
            };
            let Some(line) = edit::entry(line) else {
                continue;
            };
            let (name, hash) = line
                .split_once(':')
                .ok_or_else(|| refuse("is not `name:hash`"))?;
            let hash = Arc::new(Hash::parse(hash).map_err(|problem| refuse(&problem))?);
            if users.len() >= USERS_MAX {
                return Err(refuse(&format!("more than {USERS_MAX} users")));
            }
            users.hashes.push(Arc::clone(&hash));
            if users.by_name.insert(name.to_owned(), hash).is_some() {
                return Err(refuse(&format!("user `{name}` occurs twice")));
            }
        }
        Ok(users)
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Returns what the password of a user is compared with; `None` when there are no users. For an unknown name, `choose` must
    /// return a number below the one given, the same each time: a name whose checks cost now more, now less would be unknown.
    pub(super) fn compared(
        &self,
        name: &str,
        choose: impl FnOnce(usize) -> usize,
    ) -> Option<Compared> {
        if let Some(hash) = self.by_name.get(name) {
            let hash = Arc::clone(hash);
            return Some(Compared {
                hash,
                is_known: true,
            });
        }
        let hash = self.hashes.get(choose(self.hashes.len()))?;
        Some(Compared {
            hash: Arc::clone(hash),
            is_known: false,
        })
    }

    /// Returns when wrong passwords are refused. The first time takes as long as the most expensive check.
    pub(super) fn pace(&self) -> Pace {
        *self.pace.get_or_init(|| {
            let began = Instant::now();
            if let Some(hash) = self.hashes.iter().max_by_key(|hash| hash.work()) {
                hash.matches("");
            }
            Pace {
                period: (began.elapsed() * SLACK).max(PERIOD_MIN),
            }
        })
    }
}

impl Pace {
    /// Returns when a password is refused whose check has ended now.
    pub(super) fn end(self, began: Instant, now: Instant) -> Instant {
        let mut end = began;
        while end < now || end == began {
            end += self.period;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_take_whole_periods() {
        let pace = Pace {
            period: Duration::from_millis(100),
        };
        let began = Instant::now();
        let check = |took_ms: u64, expected_ms: u64| {
            let end = pace.end(began, began + Duration::from_millis(took_ms));
            assert_eq!(end - began, Duration::from_millis(expected_ms), "{took_ms}");
        };
        check(0, 100);
        check(1, 100);
        check(100, 100);
        check(101, 200);
        check(350, 400);
    }
}
