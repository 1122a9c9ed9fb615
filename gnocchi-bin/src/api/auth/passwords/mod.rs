//! Passwords that count: the names and hashes of a file, and checking against them.
//!
//! The file has a line `name:hash` for each user, as the tool `htpasswd -B` writes it: bcrypt, or argon2 in the PHC form
//! (`$argon2id$v=19$...`). Empty lines and lines that begin with `#` are skipped.

mod edit;
mod hash;
mod turns;
mod users;
mod verified;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::error;

pub use edit::{Edited, UserName, UserNameError, remove, set};
pub use hash::{HashError, HashMethod};

use turns::Turns;
use users::{Compared, Users};
use verified::{Digest, Verified};

/// The longest file, in bytes.
pub const BYTES_MAX: u64 = 32 << 20;

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
    /// The check has failed, which says nothing about the password.
    Failed,
}

/// Names and hashes, which may be replaced while requests are answered.
pub struct Passwords {
    users: RwLock<Arc<Users>>,
    verified: Verified,
    /// Checking takes all of a processor and some memory.
    turns: Turns,
}

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
        // The others are for the requests of those who are logged in.
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            users: RwLock::new(Arc::new(Users::parse(text)?)),
            verified: Verified::new(),
            turns: Turns::new((processors / 2).max(1)),
        })
    }

    /// Takes the text of the changed file; the users stay as they are when it cannot be read.
    ///
    /// # Errors
    /// [`PasswordLineError`] for the first line that cannot be used.
    pub fn replace(&self, text: &str) -> Result<(), PasswordLineError> {
        let users = Arc::new(Users::parse(text)?);
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = users;
        self.verified.forget_all();
        Ok(())
    }

    /// Returns whether the file has no user, so that no login can succeed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users().is_empty()
    }

    /// Checks a password that a client sends; `client` is asked for its address when that matters.
    ///
    /// A wrong one takes the same time whether or not the user exists and whatever their hash costs; one that was right recently
    /// takes no time. Clients and names that send wrong passwords wait behind the others.
    ///
    /// # Cancel safety
    /// May be dropped at any point; a check that has begun comes to its end in the background, and keeps its room until then.
    pub async fn verify(
        &self,
        client: impl FnOnce() -> String + Send,
        name: &str,
        password: &str,
    ) -> Verdict {
        let users = self.users();
        let Some(compared) = users.compared(name, |end| self.verified.number(name, end)) else {
            return Verdict::Wrong;
        };
        let digest = self.verified.digest(&compared.hash, name, password);
        if self.verified.contains(&digest) {
            return Verdict::Right;
        }
        let client = client();
        let check = self.check(users, compared, &client, name, password, digest);
        self.verified.once(&client, &digest, check).await
    }

    async fn check(
        &self,
        users: Arc<Users>,
        compared: Compared,
        client: &str,
        name: &str,
        password: &str,
        digest: Digest,
    ) -> Verdict {
        let Ok(Some(turn)) = timeout(PATIENCE, self.turns.wait(client, name)).await else {
            return Verdict::Busy;
        };
        let word = password.to_owned();
        let check = move || {
            let pace = users.pace();
            let began = Instant::now();
            let is_right = compared.hash.matches(&word) && compared.is_known;
            if is_right {
                turn.was_right();
            }
            // Held to the end: requests that are given up must not make room for more checks than there are processors.
            drop(turn);
            (is_right, pace.end(began, Instant::now()))
        };
        let verdict = verdict_of(spawn_blocking(check)).await;
        if verdict == Verdict::Right {
            self.verified.add(digest);
        }
        verdict
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits for a check, which returns whether the password is right and when a refusal may be sent.
async fn verdict_of(check: JoinHandle<(bool, Instant)>) -> Verdict {
    match check.await {
        Ok((true, _)) => Verdict::Right,
        Ok((false, end)) => {
            sleep_until(end).await;
            Verdict::Wrong
        }
        Err(failure) => {
            error!(%failure, "the check of a password failed; this is a defect");
            Verdict::Failed
        }
    }
}

#[cfg(test)]
#[path = "passwords_tests.rs"]
mod tests;
