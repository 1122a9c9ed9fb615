//! Passwords that are typed or piped in. They are never part of the command line, which every user of the machine can read.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use thiserror::Error;
use tokio::task::spawn_blocking;

use crate::api::auth::passwords::UserName;

/// The longest password, in bytes, with the end of its line.
const BYTES_MAX: u64 = 4096;

/// The exit status of a program that Ctrl-C ends.
const EXIT_INTERRUPTED: i32 = 130;

/// A password that was not given.
#[derive(Debug, Error)]
pub(super) enum SecretError {
    /// The two that were typed differ.
    #[error("the passwords differ")]
    Differ,
    /// It is longer than any password.
    #[error("the password has more than {BYTES_MAX} bytes")]
    TooLong,
    /// It has characters that no client can send.
    #[error("the password has control characters, or is not UTF-8")]
    Control,
    /// The terminal or the standard input cannot be used.
    #[error("cannot read the password")]
    Io(#[from] io::Error),
}

/// Asks for a new password twice, without showing it; or reads a line when the standard input is no terminal.
pub(super) async fn read(user: &UserName) -> Result<String, SecretError> {
    if !io::stdin().is_terminal() {
        return line().await;
    }
    let _hidden = Hidden::begin()?;
    let first = prompted(&format!("New password for {user}: ")).await?;
    let second = prompted("Again: ").await?;
    if first == second {
        Ok(first)
    } else {
        Err(SecretError::Differ)
    }
}

async fn prompted(prompt: &str) -> Result<String, SecretError> {
    let mut out = io::stderr();
    write!(out, "{prompt}")?;
    out.flush()?;
    let line = line().await?;
    // The end of the line was not shown either.
    writeln!(out)?;
    Ok(line)
}

async fn line() -> Result<String, SecretError> {
    let reading = spawn_blocking(|| {
        let mut bytes = Vec::new();
        let mut input = io::stdin().lock().take(BYTES_MAX + 1);
        input.read_until(b'\n', &mut bytes).map(|_| bytes)
    });
    parse(reading.await.map_err(io::Error::other)??)
}

fn parse(mut bytes: Vec<u8>) -> Result<String, SecretError> {
    if u64::try_from(bytes.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(SecretError::TooLong);
    }
    for end in [b'\n', b'\r'] {
        bytes.pop_if(|last| *last == end);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretError::Control)?;
    if text.chars().any(char::is_control) {
        return Err(SecretError::Control);
    }
    Ok(text)
}

/// A terminal that does not show what is typed, until this is dropped or Ctrl-C is pressed.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let hidden = Self { before };
        // Ctrl-C would end the program and leave the terminal silent.
        let restored = hidden.before.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                restore(&restored);
                process::exit(EXIT_INTERRUPTED);
            }
        });
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

fn restore(before: &Termios) {
    // A terminal that is gone needs nothing.
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_line_is_no_part_of_it() {
        let check = |bytes: &[u8], expected: Option<&str>| {
            assert_eq!(parse(bytes.to_vec()).ok().as_deref(), expected, "{bytes:?}");
        };
        check(b"secret\n", Some("secret"));
        check(b"secret\r\n", Some("secret"));
        check(b"secret", Some("secret"));
        check(" sécret ".as_bytes(), Some(" sécret "));
        check(b"", Some(""));
        check(b"a\tb\n", None);
        check(b"a\n\n", None);
        check(b"\xff\n", None);
        check(&[b'x'; 4097], None);
    }
}
