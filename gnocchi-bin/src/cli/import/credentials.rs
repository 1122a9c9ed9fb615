//! The credentials of the caller. Secrets come from the environment or from files, so that they need not stand on the command line.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::RequestBuilder;
use thiserror::Error;

use super::arguments::ServerArgs;

/// The environment variable that holds the password.
const PASSWORD_VARIABLE: &str = "GNOCCHI_PASSWORD";

/// The environment variable that holds a token.
const TOKEN_VARIABLE: &str = "GNOCCHI_TOKEN";

/// The header that carries a token.
const TOKEN_HEADER: &str = "X-Auth-Token";

/// The longest secret that is read from a file, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// The credentials of the caller.
#[derive(Clone)]
pub(super) enum Credentials {
    /// A user, with a password that may be empty.
    User { name: String, password: String },
    /// A token of Keystone.
    Token(String),
}

/// Shows the user, and no secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { name, .. } => write!(f, "User({name})"),
            Self::Token(_) => f.write_str("Token"),
        }
    }
}

/// A file with a secret that cannot be used.
#[derive(Debug, Error)]
pub(super) enum SecretError {
    /// It cannot be read.
    #[error("cannot read the secret in {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its first line is empty, or cannot stand in a request.
    #[error("the first line of {} cannot be a secret: it is empty or has control characters", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// The token cannot stand in a request.
    #[error("the token is empty or has characters that a token cannot have")]
    Token,
}

impl Credentials {
    /// Chooses the credentials: a token of the command line, a file or the environment, else user and password.
    ///
    /// # Errors
    /// [`SecretError`] when a file that is named cannot be used.
    pub(super) fn of(
        arguments: &ServerArgs,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SecretError> {
        let token = match (&arguments.token, &arguments.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(path)) => Some(first_line(path)?),
            // A password that is named on the command line is meant, whatever else the environment has.
            (None, None) if arguments.password_file.is_some() => None,
            (None, None) => variable(TOKEN_VARIABLE).filter(|token| !token.is_empty()),
        };
        if let Some(token) = token {
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(SecretError::Token);
            }
            return Ok(Self::Token(token));
        }
        let password = match &arguments.password_file {
            Some(path) => first_line(path)?,
            None => variable(PASSWORD_VARIABLE).unwrap_or_default(),
        };
        Ok(Self::User {
            name: arguments.user.clone(),
            password,
        })
    }

    /// Adds them to a request.
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::User { name, password } => request.basic_auth(name, Some(password)),
            Self::Token(token) => request.header(TOKEN_HEADER, token),
        }
    }
}

fn first_line(path: &Path) -> Result<String, SecretError> {
    let unreadable = |source| SecretError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let text = read(path).map_err(unreadable)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(SecretError::Unusable {
            path: path.to_owned(),
        });
    }
    Ok(line.to_owned())
}

fn read(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    fn credentials(
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Credentials, SecretError> {
        let command = ServerArgs::augment_args(clap::Command::new("import"));
        let matches = command
            .try_get_matches_from([&["import"], arguments].concat())
            .unwrap();
        let arguments = ServerArgs::from_arg_matches(&matches).unwrap();
        Credentials::of(&arguments, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_nearest_source_counts() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (password, token) = (file("password", "s3cret\r\nmore"), file("token", "abc\n"));
        let variables = [("GNOCCHI_PASSWORD", "pw"), ("GNOCCHI_TOKEN", "tok")];
        let check = |arguments: &[&str], variables: &[(&str, &str)], expected: (&str, &str)| {
            let found = match credentials(arguments, variables).unwrap() {
                Credentials::User { name, password } => (name, password),
                Credentials::Token(token) => ("token".to_owned(), token),
            };
            assert_eq!(
                (found.0.as_str(), found.1.as_str()),
                expected,
                "{arguments:?}"
            );
        };
        check(&[], &[], ("admin", ""));
        check(&[], &variables[..1], ("admin", "pw"));
        check(&["--user", "bob"], &variables[..1], ("bob", "pw"));
        check(&[], &variables, ("token", "tok"));
        check(&["--token", "x"], &variables, ("token", "x"));
        check(&["--token-file", &token], &variables, ("token", "abc"));
        check(
            &["--password-file", &password],
            &variables,
            ("admin", "s3cret"),
        );
    }

    #[test]
    fn files_that_hold_no_secret_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("empty");
        fs::write(&path, "\nx").unwrap();
        let path = path.to_str().unwrap();
        let refused = |arguments: &[&str]| credentials(arguments, &[]).unwrap_err().to_string();
        assert!(refused(&["--password-file", path]).contains("/empty cannot be a secret"));
        assert!(refused(&["--token-file", "/nonexistent/t"]).contains("/nonexistent/t"));
        assert!(refused(&["--token", "a b"]).contains("the token"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", credentials(&["--token", "abc"], &[]).unwrap());
        assert_eq!(shown, "Token");
        let variables = [("GNOCCHI_PASSWORD", "pw")];
        let shown = format!("{:?}", credentials(&[], &variables).unwrap());
        assert_eq!(shown, "User(admin)");
    }
}
