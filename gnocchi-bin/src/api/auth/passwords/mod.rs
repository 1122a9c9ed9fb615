//! Passwords that count: the names and hashes of a file, and checking against them.
//!
//! The file has a line `name:hash` for each user, as the tool `htpasswd -B` writes it: bcrypt, or argon2 in the PHC form
//! (`$argon2id$v=19$...`). Empty lines and lines that begin with `#` are skipped.

mod edit;
mod hash;
mod verified;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

pub use edit::{Edited, UserName, UserNameError, remove, set};
pub use hash::{HashError, HashMethod};

use hash::Hash;
use verified::Verified;

/// The longest file, in bytes.
pub const BYTES_MAX: u64 = 32 << 20;

/// The most users of a file: their hashes take about 20 MiB.
const USERS_MAX: usize = 100_000;

/// How long a request waits for its password to be checked.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line of a password file that cannot be used. It shows no part of the hash.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct PasswordLineError {
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is such a user, and this is their password.
    Right,
    /// There is no such user, or they have another password.
    Wrong,
    /// So many passwords are being checked that this one has to wait too long.
    Busy,
}

/// Names and hashes, which may be replaced while requests are answered.
pub struct Passwords {
    users: RwLock<Arc<Users>>,
    verified: Verified,
    /// Checking takes all of a processor and some memory.
    room: Arc<Semaphore>,
}

/// The hashes of one version of the file, by name.
type Users = HashMap<String, Arc<Hash>>;

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("users", &self.users().len())
            .finish_non_exhaustive()
    }
}

impl Passwords {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`PasswordLineError`] for the first line that cannot be used.
    pub fn parse(text: &str) -> Result<Self, PasswordLineError> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            users: RwLock::new(Arc::new(parse(text)?)),
            verified: Verified::new(),
            room: Arc::new(Semaphore::new(processors)),
        })
    }

    /// Takes the text of the changed file; the users stay as they are when it cannot be read.
    ///
    /// # Errors
    /// [`PasswordLineError`] for the first line that cannot be used.
    pub fn replace(&self, text: &str) -> Result<(), PasswordLineError> {
        let users = Arc::new(parse(text)?);
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = users;
        self.verified.forget_all();
        Ok(())
    }

    /// Returns whether the file has no user, so that nobody can log in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users().is_empty()
    }

    /// Checks a password. An unknown user takes as long as one that is known, and a password that was right recently takes
    /// no time.
    ///
    /// # Cancel safety
    /// May be dropped at any point; a check that has begun comes to its end in the background, and keeps its room until then.
    pub async fn verify(&self, name: &str, password: &str) -> Verdict {
        let users = self.users();
        let hash = users.get(name);
        if let Some(hash) = hash
            && self.verified.contains(hash, name, password)
        {
            return Verdict::Right;
        }
        // Which one it is matters to the time that it takes only.
        let Some(compared) = hash.or_else(|| users.values().next()) else {
            return Verdict::Wrong;
        };
        let room = Arc::clone(&self.room).acquire_owned();
        let Ok(Ok(permit)) = timeout(PATIENCE, room).await else {
            return Verdict::Busy;
        };
        let (compared, word) = (Arc::clone(compared), password.to_owned());
        let check = move || {
            // Held to the end: requests that are given up must not make room for more checks than there are processors.
            let _permit = permit;
            compared.matches(&word)
        };
        let matches = spawn_blocking(check).await;
        match (hash, matches) {
            (Some(hash), Ok(true)) => {
                self.verified.add(hash, name, password);
                Verdict::Right
            }
            _ => Verdict::Wrong,
        }
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn parse(text: &str) -> Result<Users, PasswordLineError> {
    let mut users = Users::new();
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
        let hash = Hash::parse(hash).map_err(|problem| refuse(&problem))?;
        if users.len() >= USERS_MAX {
            return Err(refuse(&format!("more than {USERS_MAX} users")));
        }
        if users.insert(name.to_owned(), Arc::new(hash)).is_some() {
            return Err(refuse(&format!("user `{name}` stands twice")));
        }
    }
    Ok(users)
}

#[cfg(test)]
#[path = "passwords_tests.rs"]
mod tests;
