//! Hashes of passwords, as text and as checks.

use std::fmt;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use bcrypt::HashParts;
use thiserror::Error;

/// The most memory that a check may take, in KiB; usual are 19 to 64 MiB.
const ARGON2_MEMORY_KIB_MAX: u32 = 1 << 20;

/// The most passes over that memory; usual are 2 to 4.
const ARGON2_PASSES_MAX: u32 = 100;

/// The largest work factor of bcrypt: four seconds or so. Usual are 5 to 12.
const BCRYPT_COST_MAX: u32 = 16;

/// How a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashMethod {
    /// Argon2id with 19 MiB and two passes, as OWASP recommends.
    #[default]
    Argon2id,
    /// bcrypt with work factor 12, for files that other servers read too.
    Bcrypt,
}

/// A password that cannot be hashed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HashError {
    /// It is empty.
    #[error("the password is empty")]
    Empty,
    /// bcrypt would leave out the rest.
    #[error(
        "bcrypt takes no more than {BCRYPT_BYTES_MAX} bytes, and the password has {bytes}; use argon2id or a shorter one"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The system has no randomness, or no memory.
    #[error("cannot hash the password: {0}")]
    Failed(String),
}

/// The longest password that bcrypt takes whole.
const BCRYPT_BYTES_MAX: usize = 71;

impl HashMethod {
    /// Hashes a password with a random salt. Takes long on purpose.
    ///
    /// # Errors
    /// [`HashError`] for a password that this method cannot hash.
    pub fn hash(self, password: &str) -> Result<String, HashError> {
        if password.is_empty() {
            return Err(HashError::Empty);
        }
        match self {
            Self::Argon2id => Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error| HashError::Failed(error.to_string())),
            Self::Bcrypt if password.len() > BCRYPT_BYTES_MAX => Err(HashError::TooLong {
                bytes: password.len(),
            }),
            Self::Bcrypt => bcrypt::hash(password, bcrypt::DEFAULT_COST)
                .map_err(|error| HashError::Failed(error.to_string())),
        }
    }
}

/// The hash of a password.
pub(super) enum Hash {
    Argon2(Box<PasswordHash>),
    Bcrypt(String),
}

impl fmt::Debug for Hash {
    /// Shows the kind only: a hash can be searched for its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argon2(_) => "Argon2",
            Self::Bcrypt(_) => "Bcrypt",
        })
    }
}

impl Hash {
    /// Reads a hash. The error says what is wrong without showing it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("$argon2") {
            return argon2(text);
        }
        if ["$2a$", "$2b$", "$2x$", "$2y$"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            return bcrypt(text);
        }
        Err("the hash is neither bcrypt ($2b$, $2y$) nor argon2 ($argon2id$)".to_owned())
    }

    /// Returns whether this is the hash of a password. Takes long on purpose.
    pub(super) fn matches(&self, password: &str) -> bool {
        match self {
            Self::Argon2(hash) => Argon2::default()
                .verify_password(password.as_bytes(), hash.as_ref())
                .is_ok(),
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
        }
    }

    /// Returns roughly how long a check takes, in microseconds; only good to compare hashes.
    pub(super) fn work(&self) -> u64 {
        match self {
            // A pass over a kibibyte takes about half a microsecond, a round of bcrypt about fifty.
            Self::Argon2(hash) => argon2::Params::try_from(&**hash).map_or(0, |parameters| {
                u64::from(parameters.m_cost()) * u64::from(parameters.t_cost()) / 2
            }),
            Self::Bcrypt(hash) => {
                let cost = hash.parse().map_or(0, |parts: HashParts| parts.get_cost());
                50 << cost.min(BCRYPT_COST_MAX)
            }
        }
    }

    /// Returns the text that identifies this hash.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Argon2(hash) => hash.to_string(),
            Self::Bcrypt(hash) => hash.clone(),
        }
    }
}

fn argon2(text: &str) -> Result<Hash, String> {
    let broken = "the argon2 hash is damaged";
    let hash = PasswordHash::new(text).map_err(|_| broken)?;
    let parameters = argon2::Params::try_from(&hash).map_err(|_| broken)?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(broken.to_owned());
    }
    if parameters.m_cost() > ARGON2_MEMORY_KIB_MAX || parameters.t_cost() > ARGON2_PASSES_MAX {
        return Err(format!(
            "the argon2 hash takes more than {ARGON2_MEMORY_KIB_MAX} KiB or {ARGON2_PASSES_MAX} passes"
        ));
    }
    Ok(Hash::Argon2(Box::new(hash)))
}

fn bcrypt(text: &str) -> Result<Hash, String> {
    let broken = |_| "the bcrypt hash is damaged".to_owned();
    let parts: HashParts = text.parse().map_err(broken)?;
    if parts.get_cost() > BCRYPT_COST_MAX {
        return Err(format!(
            "the bcrypt hash has a work factor above {BCRYPT_COST_MAX}"
        ));
    }
    Ok(Hash::Bcrypt(text.to_owned()))
}
