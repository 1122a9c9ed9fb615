//! `gnocchi passwd`: maintains a file of passwords.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use thiserror::Error;

use super::Failure;
use super::secret::{self, SecretError};
use crate::api::auth::passwords::{
    self, BYTES_MAX, Edited, HashError, HashMethod, PasswordLineError, Passwords, UserName,
    UserNameError,
};
use crate::files;

/// Add a user to a password file, change a password, or delete a user.
///
/// The password is read from the terminal without echo, or from the standard input if that is a pipe or a file. Only its hash is
/// stored. A missing file is created, readable only by you; servers that use the file load the change within a second.
#[derive(Debug, Clone, Args)]
pub(super) struct PasswdArgs {
    /// The password file, as set in `[basic] password_file`.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name of the user; "admin" is the administrator.
    #[arg(value_name = "USER")]
    user: String,
    /// Delete the user.
    #[arg(long)]
    delete: bool,
    /// Hash with bcrypt instead of argon2id, for a file that is shared with other servers.
    #[arg(long, conflicts_with = "delete")]
    bcrypt: bool,
}

/// A file of passwords that was not changed.
#[derive(Debug, Error)]
enum PasswdError {
    #[error("{name:?}: {problem}")]
    Name {
        name: String,
        problem: UserNameError,
    },
    #[error(transparent)]
    Secret(SecretError),
    #[error(transparent)]
    Hash(HashError),
    #[error("there is no directory {} for the password file", path.display())]
    NoDirectory { path: PathBuf },
    #[error("cannot read the password file {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}:{}: {}; nothing was changed", path.display(), error.line, error.problem)]
    Line {
        path: PathBuf,
        error: PasswordLineError,
    },
    #[error("there is no user {user} in {}", path.display())]
    NoSuchUser { user: UserName, path: PathBuf },
    #[error("cannot write the password file {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Changes the file.
///
/// # Errors
/// [`Failure`] when the name, the password or the file cannot be used; the file is then as it was.
pub(super) async fn run(arguments: PasswdArgs) -> Result<(), Failure> {
    let changed = change(&arguments).await;
    let report = changed.map_err(|error| Failure::Tool(Box::new(error)))?;
    super::print_line(&report)
}

async fn change(arguments: &PasswdArgs) -> Result<String, PasswdError> {
    let PasswdArgs { file, user, .. } = arguments;
    let name: UserName = user.parse().map_err(|problem| PasswdError::Name {
        name: user.clone(),
        problem,
    })?;
    // Before a password is typed that could not be stored.
    let directory = files::directory_of(file);
    if !directory.is_dir() {
        let path = directory.to_owned();
        return Err(PasswdError::NoDirectory { path });
    }
    let hash = if arguments.delete {
        None
    } else {
        let password = secret::read(&name).await.map_err(PasswdError::Secret)?;
        let method = if arguments.bcrypt {
            HashMethod::Bcrypt
        } else {
            HashMethod::Argon2id
        };
        Some(method.hash(&password).map_err(PasswdError::Hash)?)
    };

    let shown = file.display();
    // Two of these commands at once take turns, so that none loses the change of the other.
    let _turn = take_turn(file).map_err(|source| write_failed(file, source))?;
    let text = read(file)?;
    let (text, report) = if let Some(hash) = hash {
        let (text, edited) = passwords::set(&text, &name, &hash);
        let report = match edited {
            Edited::Added => format!("added user {name} to {shown}"),
            Edited::Changed => format!("changed the password of user {name} in {shown}"),
        };
        (text, report)
    } else {
        let text = passwords::remove(&text, &name).ok_or_else(|| PasswdError::NoSuchUser {
            user: name.clone(),
            path: file.clone(),
        })?;
        (text, format!("deleted user {name} from {shown}"))
    };
    let remaining = Passwords::parse(&text).map_err(|error| PasswdError::Line {
        path: file.clone(),
        error,
    })?;
    files::replace(file, &text).map_err(|source| write_failed(file, source))?;
    Ok(if remaining.is_empty() {
        format!(
            "{report}; no user is left in it: no login can succeed, and a server will not start with it"
        )
    } else {
        report
    })
}

/// Reads the file; a missing one is empty.
fn read(path: &Path) -> Result<String, PasswdError> {
    match files::read_text(path, BYTES_MAX) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(PasswdError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Waits for the right to change the file, until the result is dropped. The lock is on the directory, because the file is replaced.
fn take_turn(path: &Path) -> io::Result<File> {
    let real = path.canonicalize();
    let directory = File::open(files::directory_of(real.as_deref().unwrap_or(path)))?;
    directory.lock()?;
    Ok(directory)
}

fn write_failed(path: &Path, source: io::Error) -> PasswdError {
    PasswdError::Write {
        path: path.to_owned(),
        source,
    }
}
