use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use sqlx::error::ErrorKind;

use super::*;

#[derive(Debug)]
struct Failure(i32, &'static str);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }
}

impl StdError for Failure {}

impl DatabaseError for Failure {
    fn message(&self) -> &str {
        self.1
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.to_string().into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

#[test]
fn codes_say_what_a_caller_can_do() {
    let check = |code: i32, expected: BackendErrorKind| {
        assert_eq!(SQLITE.error_kind(&Failure(code, "odd")), expected, "{code}");
    };
    let extended = |primary: i32, detail: i32| primary + 256 * detail;
    check(1, BackendErrorKind::Unexpected);
    check(3, BackendErrorKind::Denied);
    check(5, BackendErrorKind::Conflict);
    check(extended(5, 2), BackendErrorKind::Conflict);
    check(6, BackendErrorKind::Conflict);
    check(extended(8, 1), BackendErrorKind::ReadOnly);
    check(9, BackendErrorKind::Unavailable);
    // Writing, flushing; a checksum that is wrong.
    check(extended(10, 3), BackendErrorKind::Unavailable);
    check(extended(10, 4), BackendErrorKind::Unavailable);
    check(extended(10, 32), BackendErrorKind::Corrupt);
    check(11, BackendErrorKind::Corrupt);
    check(13, BackendErrorKind::Full);
    check(14, BackendErrorKind::Config);
    check(26, BackendErrorKind::Corrupt);
    assert_eq!(
        SQLITE.error_kind(&Failure(1, "no such table: metric")),
        BackendErrorKind::Config
    );
}

#[test]
fn small_sets_are_places_and_large_ones_are_json() {
    let check = |count: u128, text: &str, values: usize| {
        let ids: Vec<Uuid> = (1..=count).map(Uuid::from_u128).collect();
        let mut statement = Statement::default();
        SQLITE.push_ids(&mut statement, &mut ids.iter().copied());
        assert_eq!(
            (&*statement.text, statement.values.len()),
            (text, values),
            "{count}"
        );
    };
    check(1, "(?)", 1);
    check(3, "(?, ?, ?, ?)", 4);
    check(8, "(?, ?, ?, ?, ?, ?, ?, ?)", 8);
    check(9, "(SELECT unhex(value) FROM json_each(?))", 1);
}
